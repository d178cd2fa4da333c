//! Before a connection is judged by what has not come: what has come, and the runtime has not looked at its socket yet.

use std::{
    future::poll_fn,
    io,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{task::coop, time::sleep};

use super::{ByteStream, CARRIED_BYTES_MAX, Driver};
use crate::looks;

/// How long a connection whose session is taken over still listens at least, unless its client says goodbye before.
pub(super) const CATCH_UP: Duration = Duration::from_millis(10);

impl<S: ByteStream> Driver<S> {
    /// Takes in what has come from a client that seems to be silent: if the machine stood still, or has too much to do, nobody has looked
    /// at its socket since.
    pub(super) async fn look_once_more(&mut self) -> io::Result<()> {
        looks::all_seen().await;
        let clock = self.surroundings.clock;
        let most = self.carried + CARRIED_BYTES_MAX;
        // One read need not give all of a packet.
        while self.carried < most
            && !self.ended
            && self.connection.wants_input()
            && self.connection.is_overdue(clock.now().monotonic)
        {
            match self.read_until(|_| true).await {
                Some(Ok(0)) => self.ended = true,
                Some(count) => self.carried += count?,
                None => return Ok(()),
            }
            self.take_in();
        }
        Ok(())
    }

    /// Takes in what came before a takeover: a client that said DISCONNECT and came back at once did say it, and there is no
    /// will to publish [MQTT-3.14.4-3].
    pub(super) async fn catch_up(&mut self) -> io::Result<()> {
        // The network may bring these bytes behind the new connection, and the runtime may see them behind it however early they came: a
        // new connection is read without a look, and all others wait until it is their turn to be looked at.
        let mut end = pin!(async {
            sleep(CATCH_UP).await;
            looks::all_seen().await;
        });
        let mut is_over = false;
        let mut carried = 0;
        loop {
            // First what has been read already, and was held back.
            while {
                self.take_in();
                self.turn()
            } {
                tokio::task::yield_now().await;
            }
            if carried >= CARRIED_BYTES_MAX || self.ended || !self.connection.wants_input() {
                return Ok(());
            }
            let read = self.read_until(|context| {
                is_over = is_over || end.as_mut().poll(context).is_ready();
                is_over
            });
            match read.await {
                Some(Ok(0)) => self.ended = true,
                Some(count) => carried += count?,
                None => return Ok(()),
            }
        }
    }

    /// Reads what comes. `None`: nothing has, and it is over.
    async fn read_until(
        &mut self,
        mut is_over: impl FnMut(&mut Context<'_>) -> bool,
    ) -> Option<io::Result<usize>> {
        poll_fn(|context| {
            // Before the read, or what is seen in between would be left.
            let is_over = is_over(context);
            match self.stream.poll_read(context, &mut self.input) {
                Poll::Ready(count) => Poll::Ready(Some(count)),
                // A task that has spent its turn is told that there is nothing.
                Poll::Pending if is_over && coop::has_budget_remaining() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}
