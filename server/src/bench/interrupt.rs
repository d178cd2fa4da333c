//! Ctrl-C: a run of traffic ends with what it has measured so far, anything else ends at once; the second one ends both.

use std::cell::Cell;

use tokio::sync::Notify;

/// Whether it has come.
pub struct Interrupt {
    has_come: Cell<bool>,
    came: Notify,
}

impl Interrupt {
    pub fn new() -> Self {
        Self {
            has_come: Cell::new(false),
            came: Notify::new(),
        }
    }

    pub fn has_come(&self) -> bool {
        self.has_come.get()
    }

    /// Ready at the moment that ends a run, `gently`: that it ends itself at the first.
    pub async fn cancelled(&self, gently: bool) {
        self.signal().await;
        self.has_come.set(true);
        self.came.notify_one();
        if gently {
            self.signal().await;
        }
    }

    async fn signal(&self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Then the system ends the program by itself.
            std::future::pending::<()>().await;
        }
    }

    /// Ready once it has come.
    pub async fn wait(&self) {
        if !self.has_come() {
            self.came.notified().await;
        }
    }
}
