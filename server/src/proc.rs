//! Numbers in the files of Linux' `/proc`.

/// The number behind a name at the beginning of a line.
pub fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
