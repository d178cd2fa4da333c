//! How many connections each address has, and how fast it opens them. Of IPv6 a /64 network counts as one address: whoever has
//! one address there has all of them.
//!
//! An address is forgotten when it has no connection and its rate has recovered, so there are never many more than connections.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use ebbtide_broker::{Bucket, Limit, Limits, Monotonic};
use parking_lot::Mutex;

/// With fewer addresses none is looked for that may be forgotten.
const PRUNED_MIN: usize = 1_024;

/// All of them.
#[derive(Debug, Default)]
pub struct Addresses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: HashMap<IpAddr, Entry>,
    /// With so many, those are looked for that may be forgotten.
    prune_at: usize,
}

#[derive(Debug, Default)]
struct Entry {
    connections: usize,
    bucket: Bucket,
}

/// One connection of an address, for as long as it is held.
#[derive(Debug)]
pub struct Place {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    /// One more connection of this address.
    ///
    /// # Errors
    /// The limit that it would pass.
    pub fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &Limits,
        now: Monotonic,
    ) -> Result<Place, Limit> {
        let address = network(address);
        let mut state = self.0.lock();
        state.prune(now);
        let entry = state.entries.entry(address).or_default();
        let most = limits.connections_per_address_max;
        if most > 0 && entry.connections >= most {
            return Err(Limit::ConnectionsPerAddressMax);
        }
        let per_s = limits.connect_rate_per_address_max;
        if !entry.bucket.take(per_s, Limits::CONNECT_BURST_S, now) {
            return Err(Limit::ConnectRatePerAddressMax);
        }
        entry.connections += 1;
        drop(state);
        Ok(Place {
            addresses: Arc::clone(self),
            address,
        })
    }
}

impl State {
    fn prune(&mut self, now: Monotonic) {
        if self.entries.len() < self.prune_at.max(PRUNED_MIN) {
            return;
        }
        self.entries
            .retain(|_, entry| entry.connections > 0 || !entry.bucket.is_full(now));
        self.prune_at = 2 * self.entries.len();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.addresses.0.lock();
        if let Some(entry) = state.entries.get_mut(&self.address) {
            entry.connections -= 1;
        }
    }
}

/// What counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(network).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn limits(connections: usize, rate: u32) -> Limits {
        Limits {
            connections_per_address_max: connections,
            connect_rate_per_address_max: rate,
            ..Limits::default()
        }
    }

    #[test]
    fn an_address_has_so_many_and_others_have_theirs() {
        let addresses = Arc::new(Addresses::default());
        let limits = limits(2, 0);
        let enter = |text| addresses.enter(address(text), &limits, Monotonic(1));
        let places: Vec<_> = (0..2).map(|_| enter("192.0.2.1").expect("room")).collect();
        let refused = enter("::ffff:192.0.2.1").expect_err("the same address");
        assert_eq!(refused, Limit::ConnectionsPerAddressMax);
        let _other = enter("192.0.2.2").expect("room");
        drop(places);
        enter("192.0.2.1").expect("there is room again");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let addresses = Arc::new(Addresses::default());
        let limits = limits(1, 0);
        let enter = |text| addresses.enter(address(text), &limits, Monotonic(1));
        let _one = enter("2001:db8::1").expect("room");
        enter("2001:db8::ffff:2").expect_err("the same network");
        let _other = enter("2001:db8:0:1::1").expect("another network");
    }

    #[test]
    fn an_address_connects_so_fast_and_no_faster() {
        let addresses = Arc::new(Addresses::default());
        let limits = limits(0, 3);
        let enter = |at| addresses.enter(address("192.0.2.1"), &limits, Monotonic(at));
        let burst = 3 * Limits::CONNECT_BURST_S;
        for _ in 0..burst {
            enter(1_000).expect("a burst");
        }
        let refused = enter(1_000).expect_err("too fast");
        assert_eq!(refused, Limit::ConnectRatePerAddressMax);
        enter(1_400).expect("a third of a second later");
        enter(1_400).expect_err("one and no more");
    }

    #[test]
    fn addresses_that_have_gone_are_forgotten() {
        let addresses = Arc::new(Addresses::default());
        let limits = limits(0, 1);
        for number in 0..100_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            let at = Monotonic(u64::from(number) * 1_000);
            drop(addresses.enter(address, &limits, at));
        }
        assert!(addresses.0.lock().entries.len() <= PRUNED_MIN);
    }
}
