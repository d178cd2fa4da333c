//! The fuzz targets without a fuzzer: on every input that was ever found, and on some that are drawn at random.

#[path = "src/lib.rs"]
mod ebbtide_fuzz;

use std::{fs, path::Path};

use ebbtide_fuzz::*;
use proptest::{
    collection::vec,
    prelude::any,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

/// How many random inputs each target gets.
const INPUTS: usize = 200;

#[test]
fn what_was_found_is_found_no_more() {
    let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions");
    let mut count = 0;
    for (name, target) in TARGETS {
        let Ok(folder) = fs::read_dir(regressions.join(name)) else {
            continue;
        };
        for file in folder {
            let path = file.expect("a file").path();
            println!("{}", path.display());
            target(&fs::read(path).expect("it can be read"));
            count += 1;
        }
    }
    assert!(count > 0, "the inputs are not where they were");
}

#[test]
fn random_inputs_do_no_harm() {
    let mut runner = TestRunner::deterministic();
    let bytes = vec(any::<u8>(), 0..600);
    for (_, target) in TARGETS {
        for _ in 0..INPUTS {
            let input = bytes.new_tree(&mut runner).expect("nothing is rejected");
            target(&input.current());
        }
    }
}
