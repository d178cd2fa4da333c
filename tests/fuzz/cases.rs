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
    assert!(run_all("regressions") > 0, "they are not where they were");
}

#[test]
fn what_fuzzing_begins_with_does_no_harm() {
    let count = run_all("seeds");
    assert!(count >= 16, "{count}: they are not where they were");
}

/// Every file of that kind.
fn run_all(kind: &str) -> usize {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(kind);
    let mut count = 0;
    for (name, target) in TARGETS {
        let Ok(folder) = fs::read_dir(folders.join(name)) else {
            continue;
        };
        for file in folder {
            let path = file.expect("a file").path();
            println!("{}", path.display());
            target(&fs::read(path).expect("it can be read"));
            count += 1;
        }
    }
    count
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

/// Else the target for HTTP would try nothing.
#[test]
fn requests_reach_their_routes() {
    let api = ebbtide::fuzz::Api::start();
    let message = br#"{"topic":"a","payload":"x","retain":true}"#;
    assert_eq!(api.request("POST", "/api/v1/publish", message), Some(200));
    assert_eq!(api.request("GET", "/api/v1/retained/a", b""), Some(200));
    assert_eq!(api.request("POST", "/api/v1/publish", b"{}"), Some(400));
    assert_eq!(api.request("GET", "/api/v1/retained/b", b""), Some(404));
}
