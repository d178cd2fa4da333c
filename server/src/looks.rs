//! When a thread of the runtime looks which sockets have something, and how many of them it takes at a look.

use tokio::runtime::Builder;

/// After so many turns of connections a thread looks which sockets have something. Where some clients always have something to do,
/// nobody looks in between, and a look gives one socket: the rarer the looks, the longer all others wait. Not after each turn: with a look
/// tokio also puts those who have let others go first in front of all, so nobody else would ever be served on one thread. An odd number, for
/// sleeping and waking counts as two, and with an even one a second look could follow each sleep (docs/decisions/021-one-socket-at-a-look.md).
const TURNS_PER_LOOK: u32 = 3;
/// Sockets that one look gives. Of several tokio takes the last one first, for it puts whoever is woken last in front: what came
/// first would be overtaken, and a publisher by its subscribers (docs/decisions/021-one-socket-at-a-look.md).
const SOCKETS_PER_LOOK: usize = 1;

/// Makes a runtime look so.
pub fn bound(runtime: &mut Builder) -> &mut Builder {
    runtime
        .event_interval(TURNS_PER_LOOK)
        .max_io_events_per_tick(SOCKETS_PER_LOOK)
}

/// Waits until every socket of the runtime that has something by now has been looked at: with one at a look that takes as long as all
/// who are before it in the line, and no time that is set says how long that is.
pub async fn all_seen() {
    // One that is new can be written to, and the system says so behind all that it had to say before. Where none can be opened, nothing
    // is waited for.
    #[cfg(unix)]
    if let Ok(socket) = tokio::net::UnixDatagram::unbound() {
        let _ = socket.writable().await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;

    use tokio::net::{UnixStream, unix::OwnedReadHalf};

    use super::*;

    /// So many have something at the same time.
    const SOCKETS: usize = 200;

    #[test]
    fn whoever_had_something_has_been_looked_at() {
        let mut runtime = Builder::new_current_thread();
        let runtime = bound(&mut runtime).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut writers = Vec::new();
            let readers: Vec<OwnedReadHalf> = (0..SOCKETS)
                .map(|_| {
                    let (writer, reader) = std::os::unix::net::UnixStream::pair().expect("a pair");
                    reader.set_nonblocking(true).expect("a socket");
                    writers.push(writer);
                    let reader = UnixStream::from_std(reader).expect("a socket");
                    reader.into_split().0
                })
                .collect();
            all_seen().await;
            for writer in &mut writers {
                writer.write_all(b"x").expect("there is room");
            }
            let seen = || {
                let read = |reader: &&OwnedReadHalf| reader.try_read(&mut [0; 2]).is_ok();
                readers.iter().filter(read).count()
            };
            assert_eq!(seen(), 0, "nobody has looked yet");
            all_seen().await;
            assert_eq!(seen(), SOCKETS);
        });
    }
}
