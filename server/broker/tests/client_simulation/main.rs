//! The durable client machine against the real broker, with a store whose transactions a crash may lose: whatever breaks,
//! and when, nothing that was stored is lost, and nothing at QoS 2 comes twice.
//!
//! Read it in this order: `world` (who is there), `trouble` (what happens to them), `peer` (a process around a client
//! machine), `store` (what survives it), `network`, `wire` (what must be true of each packet), `checks` (what must be true in the end). Broker and
//! network are those of the other simulation.
//!
//! `EBBTIDE_SEED=17 cargo test -p ebbtide-broker --test client_simulation` replays one seed and prints what happened.

mod checks;
#[path = "../simulation/disk.rs"]
mod disk;
mod life;
#[path = "../simulation/link.rs"]
mod link;
mod network;
#[path = "../simulation/node.rs"]
#[expect(dead_code, reason = "the other simulation looks at more of it")]
mod node;
mod peer;
#[path = "../simulation/random.rs"]
mod random;
mod seen;
mod store;
mod trouble;
mod wire;
mod world;

/// What `node` names connections by.
mod history {
    pub type ConnectionId = usize;
}

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use world::World;

/// How many seeds run unless `EBBTIDE_SEEDS` says otherwise.
const SEEDS: u64 = 400;

#[test]
fn a_durable_client_keeps_its_promises_for_every_seed() {
    if let Some(seed) = environment("EBBTIDE_SEED") {
        let mut world = World::new(seed, true);
        let result = run(&mut world);
        assert_eq!(result, Ok(()), "seed {seed}");
        return;
    }
    let first = environment("EBBTIDE_FIRST_SEED").unwrap_or(0);
    let count = environment("EBBTIDE_SEEDS").unwrap_or(SEEDS);
    let (failures, seen) = try_all(first, count);
    println!("{seen:?}");
    for (seed, what) in &failures {
        println!(
            "seed {seed}: {what}\n  replay: EBBTIDE_SEED={seed} cargo test -p ebbtide-broker --test client_simulation"
        );
    }
    assert!(failures.is_empty(), "{} seeds failed", failures.len());
    if count >= SEEDS {
        // A simulation in which nothing happens proves nothing.
        let least = count * 10;
        for (what, happened) in seen.rare() {
            assert!(
                happened * 20 >= count,
                "{what}: {happened} in {count} seeds"
            );
        }
        assert!(
            seen.published >= least && seen.received >= least,
            "{seen:?}"
        );
        // What is excused for that is to stay the exception.
        assert!(seen.excused * 50 <= seen.published, "{seen:?}");
    }
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    for seed in 0..20 {
        let [first, second] = [(); 2].map(|()| {
            let mut world = World::new(seed, false);
            let result = run(&mut world);
            (world.now_ms, world.seen, result)
        });
        assert_eq!(first, second, "seed {seed}");
    }
}

fn run(world: &mut World) -> Result<(), String> {
    world.live()?;
    world.come_to_rest()?;
    checks::check(world)
}

/// What failed, by seed, and what happened in all.
fn try_all(first: u64, count: u64) -> (Vec<(u64, String)>, seen::Seen) {
    let next = AtomicU64::new(first);
    let results = Mutex::new((Vec::new(), seen::Seen::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let outcome = catch_unwind(AssertUnwindSafe(|| {
                        let mut world = World::new(seed, false);
                        let result = run(&mut world);
                        (world.seen, result)
                    }));
                    let panicked = || (seen::Seen::default(), Err("it panicked, see above".into()));
                    let (seen, result) = outcome.unwrap_or_else(|_| panicked());
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.1.add(seen);
                    if let Err(what) = result {
                        results.0.push((seed, what));
                        if results.0.len() >= 10 {
                            return;
                        }
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is to be a number, not {value:?}")),
    )
}
