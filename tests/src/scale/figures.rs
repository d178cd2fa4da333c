//! What was measured, by name, in the order of measuring.

use std::fmt;
use std::time::Duration;

/// Named figures of one scenario.
#[derive(Debug, Default)]
pub struct Figures(Vec<(String, String)>);

impl Figures {
    /// A time.
    pub fn time(&mut self, name: &str, time: Duration) {
        let ms = time.as_secs_f64() * 1000.0;
        let text = if ms < 10_000.0 {
            format!("{ms:.0} ms")
        } else {
            format!("{:.1} s", ms / 1000.0)
        };
        self.text(name, text);
    }

    /// A rate.
    pub fn rate(&mut self, name: &str, count: usize, time: Duration) {
        let per_s = count as f64 / time.as_secs_f64();
        self.text(name, format!("{per_s:.0} /s"));
    }

    /// A size.
    pub fn bytes(&mut self, name: &str, bytes: u64) {
        let mib = bytes as f64 / f64::from(1 << 20);
        self.text(name, format!("{mib:.1} MiB"));
    }

    /// A size for each of many.
    pub fn bytes_each(&mut self, name: &str, bytes: u64, count: usize) {
        let each = bytes as f64 / count as f64;
        self.text(name, format!("{each:.1} bytes"));
    }

    fn text(&mut self, name: &str, text: String) {
        eprintln!("    {name}: {text}");
        self.0.push((name.to_owned(), text));
    }
}

/// As rows of a table in Markdown.
impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in &self.0 {
            writeln!(formatter, "| {name} | {text} |")?;
        }
        Ok(())
    }
}
