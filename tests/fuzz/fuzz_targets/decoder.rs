//! See `ebbtide_fuzz::decoder`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ebbtide_fuzz::decoder::run(data));
