//! The signals that stop the broker: SIGTERM and Ctrl-C.
//!
//! They are caught from the moment that a [`StopSignal`] exists: one that comes before anybody waits for it is kept.

use std::io;

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
