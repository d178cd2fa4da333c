//! Any JSON as rules, with somebody who asks for something.

/// See [`ebbtide::fuzz::rules`].
pub fn run(data: &[u8]) {
    ebbtide::fuzz::rules(data);
}
