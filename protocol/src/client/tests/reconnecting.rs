//! Many clients after a restart of their broker: none comes with the herd.

use super::*;

const CLIENTS: u64 = 200;

/// When each of the clients connects again, if the server is gone from 0 until `back_at`.
fn reconnects(back_at: Millis) -> Vec<Millis> {
    (1..=CLIENTS)
        .map(|seed| {
            let mut options = options(Version::V5);
            options.seed = seed;
            let mut script = Script::online(options);
            loop {
                script.cut();
                if script.now >= back_at {
                    return script.now;
                }
            }
        })
        .collect()
}

/// The most that come within any such time.
fn most_within(width_ms: u64, times: &[Millis]) -> usize {
    let within = |start: Millis| {
        times
            .iter()
            .filter(move |t| (start..start + width_ms).contains(*t))
    };
    times
        .iter()
        .map(|start| within(*start).count())
        .max()
        .expect("clients")
}

#[test]
fn two_hundred_clients_spread_over_the_first_second() {
    let times = reconnects(0);
    assert!(times.iter().all(|time| *time <= 1_000));
    assert!(most_within(100, &times) <= 40, "{times:?}");
}

#[test]
fn after_a_long_outage_they_spread_over_the_longest_wait() {
    let back_at = 120_000;
    let times = reconnects(back_at);
    assert!(times.iter().all(|time| *time <= back_at + 30_000));
    assert!(most_within(1_000, &times) <= 30, "{times:?}");
}
