//! The signals that stop the broker, SIGTERM and Ctrl-C, and the one that makes it read its configuration again, SIGHUP.
//!
//! They are caught from the moment that a [`StopSignal`] or [`ReloadSignal`] exists: one that comes before anybody waits for it is
//! kept.

use std::io::{self, IsTerminal};

#[cfg(unix)]
pub struct StopSignal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignal {
    pub fn catch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Ready once per signal.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Where there is no such signal, it never comes.
pub struct ReloadSignal {
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
    had_terminal: bool,
}

impl ReloadSignal {
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            hang_up: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
            had_terminal: has_terminal(),
        })
    }

    /// The signal came because the terminal was closed that the broker was started in: it is to end, as any program there.
    pub fn is_end_of_terminal(&self) -> bool {
        self.had_terminal && !has_terminal()
    }

    /// Ready once per signal; of several that came meanwhile, once.
    pub async fn received(&mut self) {
        #[cfg(unix)]
        let _ = self.hang_up.recv().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}

/// One that is gone is none.
fn has_terminal() -> bool {
    io::stdin().is_terminal() || io::stderr().is_terminal()
}

#[cfg(not(unix))]
pub struct StopSignal(tokio::signal::windows::CtrlC);

#[cfg(not(unix))]
impl StopSignal {
    pub fn catch() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    /// Ready once per signal.
    pub async fn received(&mut self) {
        self.0.recv().await;
    }
}
