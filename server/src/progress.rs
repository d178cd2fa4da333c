//! How far long work is: a bar on a terminal, a line per part of the work elsewhere. On standard error, since standard
//! output is for results.

use std::{io::IsTerminal, sync::Mutex, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often what has no known end moves.
const TICK: Duration = Duration::from_millis(100);

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
            *part = Some((what, bar(what, unit, total > 0)));
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

fn bar(what: &'static str, unit: Unit, has_end: bool) -> ProgressBar {
    let template = match (unit, has_end) {
        (Unit::Bytes, true) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
        (Unit::Rows, true) => "{msg} {wide_bar} {human_pos}/{human_len} {eta}",
        (Unit::Bytes, false) => "{spinner} {msg} {bytes} {elapsed}",
        (Unit::Rows, false) => "{spinner} {msg} {human_pos} {per_sec} {elapsed}",
    };
    let style = if has_end {
        ProgressStyle::default_bar()
    } else {
        ProgressStyle::default_spinner()
    };
    let style = style.template(template).expect("the templates are valid");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(style)
        .with_message(what);
    if !has_end {
        bar.enable_steady_tick(TICK);
    }
    bar
}
