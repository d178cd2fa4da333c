//! `X-Forwarded-For` and `X-Forwarded-Proto`: each proxy appends whom it was asked by. So the list is read from its end, past the
//! proxies that are trusted, to the first that is not: what stands before it anybody can have written.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";

/// The client, if the header names one. An entry that is no address ends the search: behind it nothing can be believed.
pub fn client(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let values = headers.get_all(FOR).iter().collect::<Vec<_>>();
    let mut found = None;
    for value in values.into_iter().rev() {
        let Ok(value) = value.to_str() else {
            return found;
        };
        for entry in value.rsplit(',') {
            let Some(address) = address(entry.trim()) else {
                return found;
            };
            found = Some(address);
            if !is_trusted(address) {
                return found;
            }
        }
    }
    found
}

/// Whether the client has TLS as far as the proxy, if it says so.
pub fn is_encrypted(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(PROTO)?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    Some(last.eq_ignore_ascii_case("https") || last.eq_ignore_ascii_case("wss"))
}

/// Some proxies write the port as well.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(entry).parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FOR, line.parse().expect("a header"));
        }
        let is_trusted = |address: IpAddr| address.to_string().starts_with("10.");
        client(&headers, is_trusted).map(|address| address.to_string())
    }

    #[test]
    fn the_last_that_is_not_trusted_is_the_client() {
        for (lines, expected) in [
            (vec!["203.0.113.7"], Some("203.0.113.7")),
            // Written by the client itself, to be taken for another.
            (vec!["1.1.1.1, 203.0.113.7"], Some("203.0.113.7")),
            (vec!["203.0.113.7, 10.0.0.1"], Some("203.0.113.7")),
            (
                vec!["1.1.1.1", "203.0.113.7, 10.0.0.1", "10.0.0.2"],
                Some("203.0.113.7"),
            ),
            (vec!["10.0.0.3, 10.0.0.1"], Some("10.0.0.3")),
            (vec!["203.0.113.7:4711"], Some("203.0.113.7")),
            (vec!["[2001:db8::1]:80"], Some("2001:db8::1")),
            (vec!["[2001:db8::1]"], Some("2001:db8::1")),
            (vec!["::ffff:203.0.113.7"], Some("203.0.113.7")),
            (vec!["203.0.113.7, unknown, 10.0.0.1"], Some("10.0.0.1")),
            (vec!["unknown"], None),
            (vec![""], None),
            (vec![], None),
        ] {
            assert_eq!(found(&lines).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_nearest_proxy_says_whether_there_is_tls() {
        let said = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(PROTO, value.parse().expect("a header"));
            is_encrypted(&headers)
        };
        assert_eq!(said("https"), Some(true));
        assert_eq!(said("http, HTTPS"), Some(true));
        assert_eq!(said("https, http"), Some(false));
        assert_eq!(is_encrypted(&HeaderMap::new()), None);
    }
}
