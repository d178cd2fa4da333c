//! See `ebbtide_fuzz::packet`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ebbtide_fuzz::packet::run(data));
