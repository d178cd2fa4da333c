//! Who guesses: an address that has failed too often in a while is not listened to for the rest of it.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// So many failures of one address count as mistakes.
pub const FAILURES_MAX: u32 = 20;
/// In so long.
pub const WINDOW: Duration = Duration::from_secs(60);
/// So many addresses are remembered. With more, those whose time is over go, or else all.
const ADDRESSES_MAX: usize = 65_536;

/// Failures by address.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Failures {
    /// Whether this address has to wait.
    pub fn has_to_wait(&self, address: IpAddr) -> bool {
        self.has_to_wait_at(address, Instant::now())
    }

    /// It has failed; `true`: from now on it has to wait.
    pub fn count(&self, address: IpAddr) -> bool {
        self.count_at(address, Instant::now())
    }

    fn has_to_wait_at(&self, address: IpAddr, now: Instant) -> bool {
        let failures = self.0.lock();
        failures
            .get(&network(address))
            .is_some_and(|(since, count)| {
                now.saturating_duration_since(*since) < WINDOW && *count >= FAILURES_MAX
            })
    }

    fn count_at(&self, address: IpAddr, now: Instant) -> bool {
        let is_over = |since: Instant| now.saturating_duration_since(since) >= WINDOW;
        let mut failures = self.0.lock();
        let address = network(address);
        if failures.len() >= ADDRESSES_MAX && !failures.contains_key(&address) {
            failures.retain(|_, (since, _)| !is_over(*since));
            if failures.len() >= ADDRESSES_MAX {
                failures.clear();
            }
        }
        let (since, count) = failures.entry(address).or_insert((now, 0));
        if is_over(*since) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count == FAILURES_MAX
    }
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
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

    #[test]
    fn who_fails_too_often_has_to_wait_alone_and_not_for_ever() {
        let failures = Failures::default();
        let start = Instant::now();
        for n in 1..=FAILURES_MAX {
            assert!(!failures.has_to_wait_at(address("10.0.0.1"), start));
            let is_last = failures.count_at(address("10.0.0.1"), start);
            assert_eq!(is_last, n == FAILURES_MAX);
        }
        assert!(failures.has_to_wait_at(address("10.0.0.1"), start));
        assert!(failures.has_to_wait_at(address("::ffff:10.0.0.1"), start));
        assert!(!failures.has_to_wait_at(address("10.0.0.2"), start));
        assert!(!failures.has_to_wait_at(address("10.0.0.1"), start + WINDOW));
        failures.count_at(address("10.0.0.1"), start + WINDOW);
        assert!(!failures.has_to_wait_at(address("10.0.0.1"), start + WINDOW));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let failures = Failures::default();
        let start = Instant::now();
        for n in 0..FAILURES_MAX {
            failures.count_at(address(&format!("2001:db8::{n:x}")), start);
        }
        assert!(failures.has_to_wait_at(address("2001:db8::ffff"), start));
        assert!(!failures.has_to_wait_at(address("2001:db8:0:1::1"), start));
    }

    #[test]
    fn it_is_bounded() {
        let failures = Failures::default();
        let start = Instant::now();
        for n in 0..2 * ADDRESSES_MAX as u32 {
            failures.count_at(IpAddr::from(n.to_be_bytes()), start);
        }
        assert!(failures.0.lock().len() <= ADDRESSES_MAX);
    }
}
