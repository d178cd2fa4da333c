//! Who may come in, and whether anybody still may.
//!
//! Who is let in holds a permit; when all permits are back, everybody is gone. That is how the stop waits. Who is one too many is told
//! why, as long as not too many are being told.

use std::{io, net::IpAddr, sync::Arc};

use ebbtide_broker::Limit;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{
    Peer,
    addresses::{Addresses, Place},
};
use crate::{clock::Clock, logging::Throttle, proxy::Proxies, storage::CurrentBroker};

/// More byte streams than any limit allows.
const CEILING: u32 = 1 << 22;
/// So many at a time are told why they cannot stay; the others are closed without a word.
const TOLD_MAX: usize = 256;

/// For every listener the same one.
#[derive(Clone, Debug)]
pub struct Door {
    permits: Arc<Semaphore>,
    told: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    proxies: Proxies,
    broker: CurrentBroker,
    clock: Clock,
    refusals: Arc<Throttle>,
    failures: Arc<Throttle>,
    closing: watch::Receiver<bool>,
}

/// The right to be here, for as long as it is held.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    place: Option<Place>,
    refusal: Option<Refusal>,
}

/// It may only be told why it has to go.
#[derive(Debug)]
pub struct Refusal {
    limit: Limit,
    _told: OwnedSemaphorePermit,
}

impl Refusal {
    /// Why.
    pub fn limit(&self) -> Limit {
        self.limit
    }
}

impl Permit {
    /// Why it cannot stay: all it may get is an answer that says so.
    pub fn refusal(&self) -> Option<Limit> {
        self.refusal.as_ref().map(Refusal::limit)
    }

    /// Whether its client's address is known.
    pub fn has_place(&self) -> bool {
        self.place.is_some()
    }
}

impl Door {
    /// An open door, and the handle that closes it by sending `true`.
    pub fn new(
        broker: CurrentBroker,
        clock: Clock,
        proxies: Proxies,
    ) -> (Self, watch::Sender<bool>) {
        let (close, closing) = watch::channel(false);
        let door = Self {
            permits: Arc::new(Semaphore::new(CEILING as usize)),
            told: Arc::new(Semaphore::new(TOLD_MAX)),
            addresses: Arc::default(),
            proxies,
            broker,
            clock,
            refusals: Arc::new(Throttle::new()),
            failures: Arc::new(Throttle::new()),
            closing,
        };
        (door, close)
    }

    /// A permit for one more. `None`: it is to be closed at once.
    pub fn enter(&self, peer: &Peer) -> Option<Permit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let count = CEILING as usize - self.permits.available_permits();
        let is_full = count > self.broker.get().0.limits().connections_max;
        let refusal = match is_full {
            true => Some(self.refuse(Limit::ConnectionsMax, peer.remote.ip())?),
            false => None,
        };
        Some(Permit {
            _permit: permit,
            place: None,
            refusal,
        })
    }

    /// The address of its client is known now, as far as anybody tells. `false`: it is to be closed at once.
    pub fn locate(&self, permit: &mut Permit, address: IpAddr) -> bool {
        if permit.refusal.is_some() {
            return true;
        }
        match self.place(address) {
            Ok(place) => permit.place = place,
            Err(limit) => match self.refuse(limit, address) {
                Some(refusal) => permit.refusal = Some(refusal),
                None => return false,
            },
        }
        true
    }

    /// A place for one more from this address; none is needed for a proxy that speaks for others.
    ///
    /// # Errors
    /// The limit that it would pass.
    pub fn place(&self, address: IpAddr) -> Result<Option<Place>, Limit> {
        if self.proxies.trusts(address) {
            return Ok(None);
        }
        let (broker, _) = self.broker.get();
        let now = self.clock.now().monotonic;
        self.addresses
            .enter(address, &broker.limits(), now)
            .map(Some)
    }

    /// Counts and notes it. `None`: too many are being told already.
    pub fn refuse(&self, limit: Limit, address: IpAddr) -> Option<Refusal> {
        self.broker.get().0.count_hit(limit);
        if let Some(suppressed) = self.refusals.permit() {
            let limit = limit.name();
            tracing::warn!(%address, limit, suppressed, "too many connections: refused");
        }
        let told = Arc::clone(&self.told).try_acquire_owned().ok()?;
        Some(Refusal { limit, _told: told })
    }

    /// Nobody could come in. Whoever takes all descriptors could have it said for as long as they like.
    pub fn failed(&self, error: &io::Error) {
        if let Some(suppressed) = self.failures.permit() {
            tracing::warn!(%error, suppressed, "cannot accept a connection");
        }
    }

    /// Waits until the door is closed.
    pub async fn closed(&mut self) {
        // Without its handle it counts as closed.
        let _ = self.closing.wait_for(|closing| *closing).await;
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        *self.closing.borrow() || self.closing.has_changed().is_err()
    }

    /// Waits until everybody has gone.
    pub async fn empty(&self) {
        let _ = self.permits.acquire_many(CEILING).await;
    }
}
