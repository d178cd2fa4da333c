//! How far long work is: a bar on a terminal, a line per part of the work elsewhere. On standard error, since standard
//! output is for results.

use std::{io::IsTerminal, sync::Mutex};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Rows,
}

/// The progress of one command, part after part.
pub struct Progress {
    part: Mutex<Option<(&'static str, ProgressBar)>>,
}

impl Progress {
    pub fn new() -> Self {
        Self {
            part: Mutex::new(None),
        }
    }

    /// `what` is done as far as that; a total that is not known is 0.
    pub fn show(&self, what: &'static str, unit: Unit, done: u64, total: u64) {
        let Ok(mut part) = self.part.lock() else {
            return;
        };
        if part.as_ref().is_none_or(|(shown, _)| *shown != what) {
            if let Some((_, bar)) = part.take() {
                bar.finish_and_clear();
            }
            if !std::io::stderr().is_terminal() {
                eprintln!("{what} ...");
            }
            *part = Some((what, bar(what, unit)));
        }
        if let Some((_, bar)) = &*part {
            if total > 0 {
                bar.set_length(total);
            }
            bar.set_position(done);
        }
    }

    /// Clears what is shown.
    pub fn finish(&self) {
        if let Ok(mut part) = self.part.lock()
            && let Some((_, bar)) = part.take()
        {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &'static str, unit: Unit) -> ProgressBar {
    let template = match unit {
        Unit::Bytes => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
        Unit::Rows => "{msg} {wide_bar} {human_pos}/{human_len} {eta}",
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(style)
        .with_message(what)
}
