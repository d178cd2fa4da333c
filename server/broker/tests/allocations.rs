//! How often memory is taken for a message: exact figures, for a slow creep of small allocations shows in no measurement of time.
//!
//! A figure that falls is good news: write it down here. One that rises needs a reason.

mod cost;

use allocation_counter::measure;

/// For each unit of each work.
const WRITTEN_DOWN: [(&str, f64); 18] = [
    ("p2p-0", 5.0),
    ("p2p-1", 5.0),
    ("p2p-2", 5.0),
    ("fan-out-0", 5.0),
    ("fan-out-1", 5.0),
    ("fan-in-0", 5.06),
    ("topics-0", 6.96),
    ("topics-fan-out-0", 7.04),
    ("crowd-1", 5.21),
    ("shared-1", 6.0),
    ("kept-1", 6.03),
    ("rules-0", 5.0),
    ("retained-set", 7.2),
    ("retained-get", 33.0),
    ("retained-all", 84.0),
    ("offline", 7.43),
    ("away", 5.47),
    ("connect", 63.0),
];

/// Buffers that grow double, and lists have nodes: among many units little is left of that.
const ROUNDING: f64 = 0.05;

#[test]
fn each_work_takes_what_is_written_down() {
    assert_eq!(WRITTEN_DOWN.len(), cost::ALL.len());
    let mut wrong = Vec::new();
    for (name, written) in WRITTEN_DOWN {
        let each = allocations(name);
        if (each - written).abs() > ROUNDING {
            wrong.push(format!("{name}: {each}, not {written}"));
        }
    }
    assert!(wrong.is_empty(), "allocations for each: {wrong:#?}");
}

#[test]
fn a_delivery_takes_none() {
    for (to_one, to_a_hundred) in [("p2p-0", "fan-out-0"), ("p2p-1", "fan-out-1")] {
        let more = allocations(to_a_hundred) - allocations(to_one);
        assert!(
            more <= ROUNDING,
            "{to_a_hundred}: {more} more than {to_one}"
        );
    }
}

/// Of each unit of a work, without what it sets up.
fn allocations(name: &str) -> f64 {
    let work = cost::ALL.iter().find(|work| work.name == name);
    let work = work.expect("a work");
    let few = measure(|| work.play(work.count)).count_total;
    let many = measure(|| work.play(2 * work.count)).count_total;
    (many as f64 - few as f64) / work.count as f64
}
