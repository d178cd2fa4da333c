//! How many durable publishes a second, beside what redb inserts in batches as large as the window of all publishers.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use ebbtide_protocol::{QoS, TopicName};

use super::raw::{self, Way};
use crate::broker::Broker;
use crate::load::{Link, kept, publish};

const PAYLOAD: &[u8] = &[b'x'; 256];
const WINDOW: usize = 100;
const RAW_TIME: Duration = Duration::from_secs(3);
/// With the most publishers, of what redb itself does.
const RATIO_MIN: f64 = 0.5;

pub fn run(short: bool) -> Result<()> {
    println!(
        "| publishers | published, /s | redb itself, /s | ratio | redb through a cursor, /s |\n|---:|---:|---:|---:|---:|"
    );
    let mut ratio = 0.0;
    for publishers in [1, 10, 100] {
        let each = if short { 200 } else { 1_000_000 / publishers };
        let raw_time = if short { RAW_TIME / 20 } else { RAW_TIME };
        let batch = u64::try_from(publishers * WINDOW)?;
        // Before and after, for the disk has its moods.
        let before = raw::insert(Way::Insert, PAYLOAD.len(), batch, raw_time)?;
        let published = durable(publishers, each)?;
        let after = raw::insert(Way::Insert, PAYLOAD.len(), batch, raw_time)?;
        let raw = (before + after) / 2.0;
        let through_cursor = raw::insert(Way::Cursor, PAYLOAD.len(), batch, raw_time)?;
        ratio = published / raw;
        println!("| {publishers} | {published:.0} | {raw:.0} | {ratio:.2} | {through_cursor:.0} |");
    }
    // A short run says nothing about rates.
    ensure!(
        short || ratio >= RATIO_MIN,
        "{ratio:.2} of redb's own rate, less than {RATIO_MIN}"
    );
    Ok(())
}

fn durable(publishers: usize, each: usize) -> Result<f64> {
    let broker = Broker::start()?;
    let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
    link.subscribe("bench/#", QoS::AtLeastOnce)?;
    drop(link);
    let start = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..publishers)
            .map(|number| {
                let address = broker.mqtt();
                scope.spawn(move || {
                    let topic = TopicName::new(format!("bench/{number}"))?;
                    let message = |_| (topic.clone(), Bytes::from_static(PAYLOAD));
                    publish(
                        address,
                        &format!("publisher-{number}"),
                        each,
                        WINDOW,
                        false,
                        message,
                    )
                })
            })
            .collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow!("a publisher panicked"))??;
        }
        anyhow::Ok(())
    })?;
    Ok((publishers * each) as f64 / start.elapsed().as_secs_f64())
}
