//! Session Present is true where a session must be, and false where there can be none.

use super::{
    Counts, Fault, Kind,
    history::{Connection, History},
};

/// Whether there is a session, before a CONNECT.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
    Unknown,
}

pub fn check(history: &History, counts: &mut Counts, faults: &mut Vec<Fault>) {
    for (client, connections) in &history.connections {
        let mut known = Known::No;
        let mut before: Option<&Connection> = None;
        for (place, connection) in connections.iter().enumerate() {
            if let Some((at, present)) = connection.connected {
                let expected = match known {
                    _ if connection.clean_start => Some(false),
                    Known::Yes => Some(true),
                    Known::No => Some(false),
                    Known::Unknown => None,
                };
                counts.sessions += usize::from(expected.is_some());
                if expected.is_some_and(|expected| expected != present) {
                    let what = format!("client {}: Session Present is {present}", client.0);
                    let since = before.map(|before| before.asked);
                    faults.push(Fault::new(
                        Kind::Session,
                        since.into_iter().chain([at]),
                        what,
                    ));
                }
            }
            let next = connections.get(place + 1).map(|next| next.asked);
            known = after(connection, next, known, history);
            before = Some(connection);
        }
    }
}

/// What is known once that connection is over and the next one begins.
fn after(connection: &Connection, next: Option<usize>, before: Known, history: &History) -> Known {
    let was_killed = history
        .start_after(connection.asked)
        .is_some_and(|start| next.is_some_and(|next| start < next));
    match connection.connected {
        Some(_) if connection.keeps => Known::Yes,
        Some(_) if was_killed || connection.left.is_some() => Known::No,
        // Taken over before the broker noticed its end, it would be there.
        Some(_) => Known::Unknown,
        // It may have been made, deleted or made to end with the connection, or not.
        None if connection.clean_start => Known::Unknown,
        None if (before == Known::Yes) != connection.keeps => Known::Unknown,
        None => before,
    }
}
