//! The bodies of requests as they come: not too large, not too slow, and all together no more than there is memory for.
//!
//! Who looks, who publishes and who administers have room of their own each: whoever sends too much is told to try again, and keeps nobody
//! out who may do other things.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
};
use bytes::BytesMut;
use ebbtide_api::Scope;
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{extract::bad, problem::Problem};

/// What is larger counts, bytes: others are as many as there are connections.
pub const LARGE_BYTES: usize = 64 * 1024;
/// All large ones together, bytes: of those who may only look, which are files of rules;
const LOOKING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// of those who publish: ten of the largest;
const PUBLISHING_BYTES_MAX: usize = 256 * 1024 * 1024;
/// of those who may do everything.
const ADMIN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Room for large bodies.
#[derive(Debug)]
pub struct Bodies {
    looking: Arc<Semaphore>,
    publishing: Arc<Semaphore>,
    admin: Arc<Semaphore>,
}

impl Bodies {
    pub fn new() -> Self {
        let room = |bytes_max| Arc::new(Semaphore::new(bytes_max));
        Self {
            looking: room(LOOKING_BYTES_MAX),
            publishing: room(PUBLISHING_BYTES_MAX),
            admin: room(ADMIN_BYTES_MAX),
        }
    }

    /// For requests that need this scope.
    pub fn room(&self, scope: Option<Scope>) -> &Arc<Semaphore> {
        match scope {
            Some(Scope::Admin) => &self.admin,
            Some(Scope::Publish) => &self.publishing,
            Some(Scope::Read) | None => &self.looking,
        }
    }
}

/// The room that a body takes, until this is dropped.
#[derive(Debug, Default)]
pub struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    /// It has so many bytes by now.
    fn grow(&mut self, bytes: usize, room: &Arc<Semaphore>) -> Result<(), Problem> {
        let held = self.0.as_ref().map_or(0, |held| held.num_permits());
        let more = u32::try_from(bytes - held).unwrap_or(u32::MAX);
        let more = Arc::clone(room).try_acquire_many_owned(more);
        let more = more.map_err(|_| {
            let detail = "Too many large bodies are on their way; try again later.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })?;
        match &mut self.0 {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// All of a body, and the room that it takes if it may be large.
pub async fn read(
    body: Body,
    bytes_max: usize,
    deadline: Duration,
    room: Option<&Arc<Semaphore>>,
) -> Result<(Bytes, Held), Problem> {
    let read = timeout(deadline, gather(body, bytes_max, room)).await;
    read.unwrap_or_else(|_| {
        let seconds = deadline.as_secs();
        let detail = format!("The body did not come in time: it may take {seconds} seconds.");
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
    })
}

async fn gather(
    body: Body,
    bytes_max: usize,
    room: Option<&Arc<Semaphore>>,
) -> Result<(Bytes, Held), Problem> {
    let mut parts = body.into_data_stream();
    let (mut gathered, mut held) = (BytesMut::new(), Held::default());
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| bad(format!("The body could not be read: {error}.")))?;
        let bytes = gathered.len() + part.len();
        if bytes > bytes_max {
            let detail = format!("The body has more than {bytes_max} bytes.");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        if let Some(room) = room.filter(|_| bytes > LARGE_BYTES) {
            held.grow(bytes, room)?;
        }
        gathered.extend_from_slice(&part);
    }
    Ok((gathered.freeze(), held))
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);
    const LATER: Duration = Duration::from_secs(60);

    fn status(read: Result<(Bytes, Held), Problem>) -> StatusCode {
        read.expect_err("no body").status()
    }

    fn of(bytes: usize) -> Body {
        Body::from(vec![b'x'; bytes])
    }

    /// However little of it is missing.
    #[tokio::test]
    async fn a_body_that_does_not_come_in_time_is_not_waited_for() {
        let stalled = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        let late = read(stalled, 10, SOON, None).await;
        assert_eq!(status(late), StatusCode::REQUEST_TIMEOUT);
    }

    /// Only a body that is too large is called so: who sends it again, and smaller, would wonder.
    #[tokio::test]
    async fn what_is_wrong_with_a_body_is_told() {
        let whole = read(of(10), 10, LATER, None).await;
        assert_eq!(&whole.expect("a body").0[..], b"xxxxxxxxxx");
        let large = read(of(11), 10, LATER, None).await;
        assert_eq!(status(large), StatusCode::PAYLOAD_TOO_LARGE);
        let broken = [
            Ok(Bytes::from_static(b"x")),
            Err(io::Error::other("a chunk without length")),
        ];
        let broken = Body::from_stream(stream::iter(broken));
        let broken = read(broken, 10, LATER, None).await;
        let broken = broken.expect_err("no body");
        assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
        assert!(broken.detail().contains("a chunk without length"));
    }

    #[tokio::test]
    async fn large_bodies_have_so_much_room_and_others_room_of_their_own() {
        const RULES: usize = 4 * 1024 * 1024;
        let bodies = Bodies::new();
        let mut held = Vec::new();
        for _ in 0..LOOKING_BYTES_MAX / RULES {
            let body = read(of(RULES), RULES, LATER, Some(&bodies.looking)).await;
            held.push(body.expect("there is room"));
        }
        let more = read(of(LARGE_BYTES + 1), RULES, LATER, Some(&bodies.looking)).await;
        assert_eq!(status(more), StatusCode::SERVICE_UNAVAILABLE);
        let small = read(of(LARGE_BYTES), RULES, LATER, Some(&bodies.looking)).await;
        assert!(small.is_ok());
        for scope in [Scope::Publish, Scope::Admin] {
            let room = bodies.room(Some(scope));
            assert!(read(of(RULES), RULES, LATER, Some(room)).await.is_ok());
        }
        held.pop();
        let again = read(of(RULES), RULES, LATER, Some(&bodies.looking)).await;
        assert!(again.is_ok());
    }
}
