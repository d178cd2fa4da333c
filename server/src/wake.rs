//! Wakers that lose nothing: for a task and for a thread.
//!
//! A signal sent while nobody waits is kept until somebody looks. Any number of signals in between count as one, and
//! only the first of them touches the scheduler.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use futures_util::task::AtomicWaker;

/// Wakes one task.
#[derive(Debug, Default)]
pub struct Signal {
    pending: AtomicBool,
    task: AtomicWaker,
}

impl Signal {
    /// A new signal that nobody has sent.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Ready once per signal. One task at a time may wait.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.pending.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        self.task.register(context.waker());
        // Sent between the look and the registration.
        if self.pending.swap(false, Ordering::AcqRel) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Waits for the next signal; dropping the future loses none.
    pub async fn wait(&self) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.task.wake();
        }
    }
}

/// Unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker for a thread that waits by [`std::thread::park`].
pub fn unpark(thread: Thread) -> Waker {
    Waker::from(Arc::new(Unpark(thread)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_sent_before_anybody_waits_is_kept() {
        let signal = Signal::new();
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(signal.poll(&mut context), Poll::Pending);
        Waker::from(Arc::clone(&signal)).wake_by_ref();
        Waker::from(Arc::clone(&signal)).wake_by_ref();
        assert_eq!(signal.poll(&mut context), Poll::Ready(()));
        assert_eq!(
            signal.poll(&mut context),
            Poll::Pending,
            "many signals count as one"
        );
    }
}
