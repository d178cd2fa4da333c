//! Attacks by those who are not in, or hardly: slow, half-open and far too many connections.

use std::net::SocketAddr;

use anyhow::Result;
use ebbtide_tests::http;
use ebbtide_tests::tls::Certificates;

use super::{Attack, Step, Wild, connect};

const MIB: usize = 1024 * 1024;
/// So many connections at a time: no more than a process may have by default.
const CONNECTIONS: usize = 300;

/// Keeps so many connections, and says one more byte in one of them each time; who has said all begins anew.
fn drip(address: SocketAddr, words: Vec<u8>) -> Result<Step> {
    let mut open = Vec::new();
    let mut at = 0;
    Ok(Box::new(move || {
        if open.len() < CONNECTIONS {
            open.push((Wild::open(address)?, 0));
            return Ok(());
        }
        at = (at + 1) % CONNECTIONS;
        let (wild, said) = &mut open[at];
        if *said == words.len() || !wild.send(&words[*said..=*said]) || !wild.drain() {
            open[at] = (Wild::open(address)?, 0);
        } else {
            *said += 1;
        }
        Ok(())
    }))
}

#[test]
fn connects_byte_by_byte() -> Result<()> {
    let attack = Attack {
        arguments: &["--connect-deadline-ms", "2000"],
        per_s: 1_000,
        memory_bytes: 32 * MIB,
    };
    attack.withstand(|broker| drip(broker.mqtt(), connect("slow")?))
}

#[test]
fn web_socket_handshakes_byte_by_byte() -> Result<()> {
    let attack = Attack {
        arguments: &[],
        per_s: 1_000,
        memory_bytes: 32 * MIB,
    };
    attack.withstand(|broker| {
        let head = http::upgrade(&broker.http().to_string(), "");
        drip(broker.http(), head.into_bytes())
    })
}

/// They say nothing at all, and go after a while.
#[test]
fn half_open_connections() -> Result<()> {
    let attack = Attack {
        arguments: &["--connect-deadline-ms", "2000"],
        per_s: 300,
        memory_bytes: 32 * MIB,
    };
    attack.withstand(|broker| {
        let address = broker.mqtt();
        let mut open = std::collections::VecDeque::new();
        Ok(Box::new(move || {
            open.push_back(Wild::open(address)?);
            if open.len() > CONNECTIONS {
                open.pop_front();
            }
            Ok(())
        }))
    })
}

/// So many handshakes are under way at a time.
const HANDSHAKES: usize = 100;

/// Each begins a handshake, which makes the broker sign, and does not go on.
#[test]
fn a_flood_of_tls_handshakes() -> Result<()> {
    let certificates = Certificates::make()?;
    let hello = certificates.client_hello()?;
    let flags = certificates.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let attack = Attack {
        arguments: &flags,
        per_s: 300,
        memory_bytes: 64 * MIB,
    };
    attack.withstand(|broker| {
        let address = broker.address("mqtts")?;
        let mut open = std::collections::VecDeque::new();
        Ok(Box::new(move || {
            let mut wild = Wild::open(address)?;
            wild.send(&hello);
            open.push_back(wild);
            if open.len() > HANDSHAKES
                && let Some(mut begun) = open.pop_front()
            {
                begun.wait_for(1)?;
            }
            Ok(())
        }))
    })
}

fn flood(arguments: &[&str]) -> Result<()> {
    let attack = Attack {
        arguments,
        per_s: 300,
        memory_bytes: 32 * MIB,
    };
    attack.withstand(|broker| {
        let address = broker.mqtt();
        let mut number = 0;
        Ok(Box::new(move || {
            number += 1;
            Wild::open(address)?.send(&connect(&format!("flood-{number}"))?);
            Ok(())
        }))
    })
}

#[test]
fn a_flood_of_connections_that_are_let_in() -> Result<()> {
    flood(&[])
}

#[test]
fn a_flood_of_connections_that_are_refused() -> Result<()> {
    flood(&["--connect-rate-per-address-max", "5"])
}
