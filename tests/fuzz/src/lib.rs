//! What is fuzzed: one function per target, given any bytes. It panics at what must not be.
//!
//! The programs in `fuzz_targets` run them with libFuzzer, which needs a nightly toolchain; `cases.rs` runs them without, on
//! every input that was ever found.

pub mod broker;
pub mod configuration;
pub mod decoder;
pub mod driver;
pub mod http;
pub mod packet;
pub mod proxy;
pub mod rules;
pub mod sequence;
pub mod topic_filter;

/// Runs one input.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("decoder", decoder::run),
    ("packet", packet::run),
    ("topic_filter", topic_filter::run),
    ("broker", broker::run),
    ("sequence", sequence::run),
    ("rules", rules::run),
    ("configuration", configuration::run),
    ("http", http::run),
    ("proxy", proxy::run),
];
