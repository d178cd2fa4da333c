//! The threads in which sessions that are back read what waits for them: as many as there are cores. When a thousand come back at once, a
//! thread for each would only take the cores from the others. What else blocks has threads of its own, so a slow backup keeps no
//! session waiting.

use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

/// They end with the last reader.
#[derive(Debug)]
pub struct Threads(Option<Runtime>);

impl Threads {
    pub fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(cores)
            .thread_name("reader")
            .build();
        Self(Some(runtime.expect("without drivers nothing can fail")))
    }

    /// Where to spawn what blocks.
    pub fn handle(&self) -> &Handle {
        let runtime = self.0.as_ref().expect("only the drop takes it");
        runtime.handle()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Whoever drops it must not wait.
            runtime.shutdown_background();
        }
    }
}
