//! Wakers that lose nothing: for a task and for a thread.
//!
//! A signal sent while nobody waits is kept until somebody looks. Any number of signals in between count as one, and
//! only the first of them touches the scheduler.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use futures_util::task::AtomicWaker;

use crate::turns;

/// Nothing was sent, and nobody waits: whoever is to be told looks before it waits.
const QUIET: u8 = 0;
/// Nothing was sent, and a task waits for it.
const WAITING: u8 = 1;
/// It was sent, and nobody has looked yet.
const SENT: u8 = 2;

/// Wakes one task.
#[derive(Debug, Default)]
pub struct Signal {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Signal {
    /// A new signal that nobody has sent.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Ready once per signal. One task at a time may wait.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.state.swap(QUIET, Ordering::AcqRel) == SENT {
            return Poll::Ready(());
        }
        self.task.register(context.waker());
        if self.change(QUIET, WAITING) {
            return Poll::Pending;
        }
        // Sent between the look and the registration.
        self.state.store(QUIET, Ordering::Release);
        Poll::Ready(())
    }

    /// The task is about something else, and will look again before it waits: until then nobody needs to wake it. A task that
    /// is woken while it runs has another turn for nothing, and the scheduler wakes another thread for it.
    pub fn stop_waiting(&self) {
        self.change(WAITING, QUIET);
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
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
        if self.state.swap(SENT, Ordering::AcqRel) == WAITING {
            turns::note_woken();
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

    #[test]
    fn a_task_is_woken_only_while_it_waits() {
        #[derive(Default)]
        struct Count(AtomicU8);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (signal, count) = (Signal::new(), Arc::new(Count::default()));
        let send = || Waker::from(Arc::clone(&signal)).wake();
        let woken = || count.0.load(Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);

        assert_eq!(signal.poll(&mut context), Poll::Pending);
        signal.stop_waiting();
        send();
        assert_eq!(woken(), 0, "it is about something else");
        assert_eq!(signal.poll(&mut context), Poll::Ready(()));

        assert_eq!(signal.poll(&mut context), Poll::Pending);
        send();
        send();
        assert_eq!(woken(), 1);
        signal.stop_waiting();
        assert_eq!(signal.poll(&mut context), Poll::Ready(()), "it is kept");
    }
}
