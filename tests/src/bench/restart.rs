//! How soon a broker that was killed answers again: from exec to a retained message for the first who asks.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::{load::median, scale::mixed};

const KILLS: usize = 5;
const ANSWERED_MS_MAX: f64 = 200.0;

pub fn run(short: bool) -> Result<()> {
    let rows = if short { 1_000 } else { 100_000 };
    let mut broker = mixed::filled(rows)?;
    let mut took_ms = Vec::new();
    for _ in 0..KILLS {
        broker.kill()?;
        let start = Instant::now();
        broker.start_again()?;
        mixed::answer(&broker)?;
        took_ms.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    took_ms.sort_by(f64::total_cmp);
    let median = median(took_ms.iter().copied()).context("no kill")?;
    println!(
        "| retained | queued | to the first answer, median of {KILLS} | from | to | line |\n|---:|---:|---:|---:|---:|---:|"
    );
    println!(
        "| {rows} | {rows} | {median:.0} ms | {:.0} ms | {:.0} ms | {ANSWERED_MS_MAX:.0} ms |",
        took_ms[0],
        took_ms[KILLS - 1]
    );
    ensure!(
        median <= ANSWERED_MS_MAX,
        "{median:.0} ms to the first answer: at most {ANSWERED_MS_MAX:.0} are promised"
    );
    Ok(())
}
