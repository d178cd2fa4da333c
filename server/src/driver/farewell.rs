//! The end of a connection: the last packets reach the peer, but not at any price.
//!
//! Closing a socket that holds unread input makes the kernel send a reset, and a reset can overtake the DISCONNECT that
//! says why. So our direction is ended first, and what still comes is thrown away for a moment.

use std::{future::poll_fn, io, time::Duration};

use bytes::BytesMut;
use ebbtide_broker::Connection;
use ebbtide_protocol::ReasonCode;
use tokio::{task::yield_now, time::timeout};

use super::{ByteStream, CARRIED_BYTES_MAX};
use crate::clock::Clock;

/// How long the peer has to take the last packets.
const FLUSH: Duration = Duration::from_secs(2);
/// How long it then has to close its direction.
const LINGER: Duration = Duration::from_secs(1);

/// Writes what is left, ends the stream and waits for the peer to do the same.
pub async fn say<S: ByteStream>(
    mut stream: S,
    mut connection: Connection,
    mut output: BytesMut,
    ended: bool,
    clock: Clock,
) {
    let last_words = async {
        loop {
            let more = connection.poll_transmit(&mut output, clock.now());
            poll_fn(|context| stream.poll_write(context, &mut output)).await?;
            if !more {
                break;
            }
        }
        poll_fn(|context| stream.poll_end(context)).await
    };
    let said: Result<io::Result<()>, _> = timeout(FLUSH, last_words).await;
    // Its session has been free since the core ended it; lingering is between the sockets.
    drop(connection);
    if ended || !matches!(said, Ok(Ok(()))) {
        return;
    }
    // Running out of time is as good as the end.
    let _ = timeout(LINGER, linger(&mut stream)).await;
}

/// Throws away what comes, until the peer ends its direction: however much it is, for what is left unread makes the reset.
pub(super) async fn linger<S: ByteStream>(stream: &mut S) {
    let mut carried = 0;
    while let Ok(count @ 1..) = poll_fn(|context| stream.poll_throw_away(context)).await {
        carried += count;
        if carried >= CARRIED_BYTES_MAX {
            yield_now().await;
            carried = 0;
        }
    }
}

/// Whether a client did something that its operator should hear of.
pub fn is_fault(reason: ReasonCode) -> bool {
    reason.is_error()
        && !matches!(
            reason,
            ReasonCode::ServerShuttingDown
                | ReasonCode::SessionTakenOver
                | ReasonCode::KeepAliveTimeout
                | ReasonCode::AdministrativeAction
        )
}
