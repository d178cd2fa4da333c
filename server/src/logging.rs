//! Logs: to standard error, as text or JSON lines, and never faster than a person could want to read.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// How many lines of one kind are written per [`WINDOW`]; the rest is counted.
const LINES_PER_WINDOW: u32 = 20;
/// So many bytes of a client's own words are in a line.
const WORDS_BYTES_MAX: usize = 256;
/// See [`LINES_PER_WINDOW`].
const WINDOW: Duration = Duration::from_secs(10);

/// The filter of the whole program's log, to be exchanged.
#[derive(Clone)]
pub struct Filter(Arc<dyn Fn(EnvFilter) + Send + Sync>);

impl Filter {
    /// From now on this counts. It has been checked by `config`.
    pub fn set(&self, filter: &str) {
        (self.0)(EnvFilter::new(filter));
    }
}

/// Sets up logging for the whole program.
///
/// `filter` has been checked by `config`.
pub fn start(filter: &str, format: LogFormat) -> Filter {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr);
    // An error would mean that the log is gone: nobody could be told.
    match format {
        LogFormat::Text => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let builder = builder.with_ansi(is_terminal).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Filter(Arc::new(move |filter| drop(handle.reload(filter))))
        }
        LogFormat::Json => {
            let builder = builder.json().with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Filter(Arc::new(move |filter| drop(handle.reload(filter))))
        }
    }
}

/// A client's own words for a line of the log: their beginning, and how long they were. A client id has room for 65,535 bytes, each of which
/// takes several in a line.
pub fn cut(words: &str) -> Cow<'_, str> {
    if words.len() <= WORDS_BYTES_MAX {
        return words.into();
    }
    let beginning = &words[..words.floor_char_boundary(WORDS_BYTES_MAX)];
    format!("{beginning}… ({} bytes)", words.len()).into()
}

/// Keeps what strangers can cause from filling the disk with log lines.
#[derive(Debug)]
pub struct Throttle {
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    start: Instant,
    lines: u32,
    suppressed: u64,
}

impl Throttle {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self {
            window: Mutex::new(Window {
                start: Instant::now(),
                lines: 0,
                suppressed: 0,
            }),
        }
    }

    /// Whether a line may be written now; if so, how many were left out since the last one.
    pub fn permit(&self) -> Option<u64> {
        self.permit_at(Instant::now())
    }

    fn permit_at(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock();
        if now.saturating_duration_since(window.start) >= WINDOW {
            window.start = now;
            window.lines = 0;
        }
        if window.lines >= LINES_PER_WINDOW {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_between_characters() {
        let fits = "x".repeat(256);
        assert_eq!(cut(&fits), fits);
        let long = format!("{}é", "x".repeat(255));
        assert_eq!(cut(&long), format!("{}… (257 bytes)", "x".repeat(255)));
        let longest = "\u{1}".repeat(65_535);
        assert!(format!("{:?}", cut(&longest)).len() < 2_000);
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let throttle = Throttle::new();
        let start = Instant::now();
        let written = (0..100).filter_map(|_| throttle.permit_at(start)).count();
        assert_eq!(written, LINES_PER_WINDOW as usize);
        assert_eq!(throttle.permit_at(start + WINDOW * 2), Some(80));
        assert_eq!(throttle.permit_at(start + WINDOW * 2), Some(0));
    }
}
