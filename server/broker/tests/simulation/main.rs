//! Clients that come and go over a network that delays and cuts, and a broker that crashes, all at random by a seed: what the
//! design promises holds in every run.
//!
//! Read it in this order: `roster` (who takes part), `run` (what happens to them), `node` and `link` (the broker and the
//! network), `client` (what a client does), `history` (what is written down), `checks` (what must be true of it).
//!
//! `EBBTIDE_SEED=17 cargo test -p ebbtide-broker --test simulation` replays one seed and prints its history;
//! `cargo xtask simulate --seeds 100000` runs more.

mod checks;
mod client;
mod disk;
mod history;
mod link;
#[expect(dead_code, reason = "the simulation of clients looks at more of it")]
mod node;
mod random;
mod rest;
mod roster;
mod run;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use history::History;

/// How many seeds run unless `EBBTIDE_SEEDS` says otherwise.
const SEEDS: u64 = 1_000;

#[test]
fn promises_hold_for_every_seed() {
    if let Some(seed) = environment("EBBTIDE_SEED") {
        let (history, result) = run::run(seed);
        println!("{history}");
        let result = result.and_then(|()| checks::check(&history));
        assert_eq!(result, Ok(()), "seed {seed}");
        return;
    }
    let first = environment("EBBTIDE_FIRST_SEED").unwrap_or(0);
    let count = environment("EBBTIDE_SEEDS").unwrap_or(SEEDS);
    let failures = try_all(first, count);
    if failures.is_empty() {
        return;
    }
    for (seed, what) in &failures {
        println!(
            "seed {seed}: {what}\n  replay: EBBTIDE_SEED={seed} cargo test -p ebbtide-broker --test simulation"
        );
    }
    panic!("{} of {count} seeds failed", failures.len());
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    for seed in 0..50 {
        let [first, second] = [(); 2].map(|()| run::run(seed).0.to_string());
        let differing = first.lines().zip(second.lines()).find(|(a, b)| a != b);
        assert_eq!(differing, None, "seed {seed}");
    }
}

/// What failed, by seed. Ends soon after the first failures.
fn try_all(first: u64, count: u64) -> BTreeMap<u64, String> {
    let next = AtomicU64::new(first);
    let enough = AtomicBool::new(false);
    let failures = Mutex::new(BTreeMap::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    if let Err(what) = try_one(seed) {
                        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                        failures.insert(seed, what);
                        enough.store(failures.len() >= 10, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

fn try_one(seed: u64) -> Result<(), String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let (history, result): (History, _) = run::run(seed);
        result.and_then(|()| checks::check(&history))
    }));
    outcome.unwrap_or_else(|_| Err("it panicked, see above".to_owned()))
}

fn environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is to be a number, not {value:?}")),
    )
}
