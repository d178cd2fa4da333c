//! Whose turn it is on this thread: a task lets the ones that it has woken go first, and comes right after one of them.
//!
//! `yield_now` of the runtime is for those who have had enough. It comes back only when the thread has nothing else to do and has looked
//! for sockets, and then the runtime wakes another thread, each time: a third of the processor time of a message that comes alone.
//!
//! The runtime must call [`pass_on`] before a thread sleeps, and no task may block its thread (`block_in_place`): a thread that ends so
//! would take along whoever waits for its turn there.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::{Poll, Waker},
};

thread_local! {
    /// Tasks that were woken by tasks of this thread, ever.
    static WOKEN: Cell<u64> = const { Cell::new(0) };
    /// They have let others go first.
    static BEHIND: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// A task is about to be woken.
pub fn note_woken() {
    WOKEN.set(WOKEN.get().wrapping_add(1));
}

/// The outcome of `work`, and whether it has woken tasks.
pub fn watch<T>(work: impl FnOnce() -> T) -> (T, bool) {
    let before = WOKEN.get();
    let outcome = work();
    (outcome, WOKEN.get() != before)
}

/// Lets a task go first that this one has woken. Where that one runs on another thread, or ends, this one goes on with the next
/// [`pass_on`] on this thread.
pub async fn let_woken() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        BEHIND.with_borrow_mut(|behind| behind.push(context.waker().clone()));
        Poll::Pending
    })
    .await;
}

/// A task has had its turn, or the thread is about to sleep.
pub fn pass_on() {
    while let Some(waker) = BEHIND.with_borrow_mut(Vec::pop) {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        time::Duration,
    };

    use super::*;
    use crate::wake::Signal;

    #[tokio::test]
    async fn the_woken_goes_first_and_then_the_one_who_woke_it() {
        let (said, order) = mpsc::channel();
        let signal = Signal::new();
        let tasks = [
            tokio::spawn({
                let (signal, said) = (Arc::clone(&signal), said.clone());
                async move {
                    signal.wait().await;
                    said.send("woken").expect("somebody listens");
                    pass_on();
                }
            }),
            tokio::spawn({
                let said = said.clone();
                async move {
                    let wake = || Waker::from(Arc::clone(&signal)).wake();
                    assert!(watch(wake).1, "it waits");
                    assert!(!watch(wake).1, "it has been woken before");
                    let_woken().await;
                    said.send("waker").expect("somebody listens");
                }
            }),
        ];
        for task in tasks {
            task.await.expect("it ends");
        }
        let order: Vec<_> = order.try_iter().collect();
        assert_eq!(order, ["woken", "waker"]);
    }

    #[test]
    fn whoever_let_nobody_go_first_goes_on_before_the_thread_sleeps() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .on_thread_park(pass_on)
            .build()
            .expect("a runtime");
        let alone = runtime.spawn(let_woken());
        let ended =
            runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), alone).await });
        ended.expect("it goes on").expect("it ends");
    }
}
