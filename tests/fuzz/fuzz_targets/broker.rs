//! See `ebbtide_fuzz::broker`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ebbtide_fuzz::broker::run(data));
