//! See `ebbtide_fuzz::topic_filter`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ebbtide_fuzz::topic_filter::run(data));
