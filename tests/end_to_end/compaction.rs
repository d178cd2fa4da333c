//! A compaction of the real program that is killed at any moment: the next start has everything that was acknowledged.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::tools;

use crate::backup::ebbtide;
use crate::traffic::{Traffic, collect_away, leave_away};

/// Moments from the beginning of a compaction to some time after its end.
const MOMENTS: u32 = 8;
/// If none of them was within the copy: how often a kill follows the sight of one.
const MORE_MAX: u32 = 8;

#[test]
fn a_kill_during_a_compaction_loses_nothing() -> Result<()> {
    let mut broker = Broker::start()?;
    let folder = broker.data_dir();
    let copy = folder.join("ebbtide.redb.compact");
    let mut usual = None;
    let mut met = 0;
    for moment in 0..MOMENTS + MORE_MAX {
        if moment >= MOMENTS && met > 0 {
            break;
        }
        let url = format!("http://{}", broker.http());
        leave_away(broker.mqtt())?;
        // Small messages: a debug build copies large ones more slowly than they are written, and would not catch up.
        let traffic = Traffic::start(broker.mqtt(), 100, false);
        traffic.wait_for_more(200)?;
        let usual = match usual {
            Some(usual) => usual,
            None => {
                let started = Instant::now();
                ebbtide(&folder, &["compact", "--url", &url])?;
                *usual.insert(started.elapsed())
            }
        };
        let mut compaction = Command::new(tools::broker())
            .args(["compact", "--url", &url])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        if moment < MOMENTS {
            // No event tells of the moments within: which one is hit is up to chance.
            thread::sleep(usual.mul_f64(2.0 * f64::from(moment) / f64::from(MOMENTS)));
        } else {
            while !copy.exists() && compaction.try_wait()?.is_none() {
                thread::yield_now();
            }
        }
        broker.kill()?;
        // Only a copy that was not finished is left.
        met += u32::from(copy.exists());
        broker.start_again()?;
        compaction.wait()?;
        let acknowledged = traffic.lost()?;
        collect_away(broker.mqtt(), acknowledged)?;
        let files: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
        ensure!(files.len() == 1, "left over: {files:?}");
    }
    ensure!(met > 0, "no kill met a copy");
    Ok(())
}
