//! The ledger against our broker: what it acknowledged is there after SIGKILL, 25 times in all, by fixed seeds; and it can
//! tell when it is not.

use anyhow::{Result, bail, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::ledger::{self, Kind, Server, scenarios};
use ebbtide_tests::tools::{self, Tool};

/// Seeds and kills: long lives and short ones.
const CAMPAIGNS: [(u64, u32); 3] = [(1, 5), (2, 5), (3, 15)];

#[test]
fn nothing_acknowledged_is_lost_over_25_kills() -> Result<()> {
    for (seed, kills) in CAMPAIGNS {
        let mut server = Server::ours(&[])?;
        let report = ledger::run(&mut server, kills, seed, true)?;
        ensure!(report.faults.is_empty(), "{report}");
        // A campaign in which little was promised would show little.
        let counts = report.counts;
        let kills = kills as usize;
        ensure!(
            counts.kills == kills
                && counts.accepted_qos1 > 10 * kills
                && counts.accepted_qos2 > 10 * kills
                && counts.values >= 6 * kills
                && counts.subscriptions >= 6 * kills
                && counts.sessions > 10 * kills
                && counts.wills > kills
                && counts.wills_kept_back > 0,
            "too little happened: {counts:?}"
        );
    }
    Ok(())
}

#[test]
fn the_ledger_misses_what_is_kept_in_memory_only() -> Result<()> {
    let mut server = Server::ours(&["--ephemeral"])?;
    let report = ledger::run(&mut server, 3, 1, false)?;
    for kind in [
        Kind::LostQos1,
        Kind::LostQos2,
        Kind::Retained,
        Kind::Subscription,
        Kind::Session,
        Kind::WillMissing,
    ] {
        ensure!(report.count(kind) > 0, "no {kind:?}: {report}");
    }
    Ok(())
}

#[test]
fn histories_that_chance_seldom_finds() -> Result<()> {
    let mut server = Server::ours(&[])?;
    for (number, (name, play)) in scenarios::ALL.into_iter().enumerate() {
        let outcome = play(&mut server, &format!("s{number}"));
        if let Err(error) = outcome {
            bail!("{name}: {error:#}; the broker said:\n{}", server.log());
        }
    }
    Ok(())
}

#[test]
fn the_scenarios_miss_what_is_kept_in_memory_only() -> Result<()> {
    for (number, (name, play)) in scenarios::ALL.into_iter().enumerate() {
        let mut server = Server::ours(&["--ephemeral"])?;
        let outcome = play(&mut server, &format!("s{number}"));
        ensure!(outcome.is_err(), "{name}: passes without a disk");
    }
    Ok(())
}

#[test]
fn a_clock_that_jumps_ends_nothing() -> Result<()> {
    if !tools::present(&[Tool::Faketime]) {
        return Ok(());
    }
    let mut broker = Broker::start()?;
    scenarios::clock_jumps(&mut broker, &tools::faketime_library()?)
}
