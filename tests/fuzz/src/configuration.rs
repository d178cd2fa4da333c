//! Any text as the configuration file.

/// See [`ebbtide::fuzz::configuration`].
pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        ebbtide::fuzz::configuration(text);
    }
}
