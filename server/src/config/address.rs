//! Addresses, host names and origins as they may be typed: parsed once, when they are read.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;
use serde::Deserialize;

/// Why an address, a host name or an origin is none.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not an address with a port.
    #[error(
        "an address is an IP address and a port, for example 127.0.0.1:1883, [::1]:1883 or localhost:1883; port 0 takes \
         a free one"
    )]
    Listen,
    /// A name where an address must be.
    #[error(
        "host names are not resolved: give the IP address to listen on, for example 127.0.0.1:1883 for this machine or \
         0.0.0.0:1883 for every interface"
    )]
    Name,
    /// Not a host name.
    #[error(
        "a host is a name or an IP address without scheme, port and path, for example broker.example"
    )]
    Host,
    /// Not a network.
    #[error(
        "a network is an IP address, or one with the length of its prefix, for example 127.0.0.1 or 10.0.0.0/8"
    )]
    Network,
    /// Not an origin.
    #[error(
        "an origin is a scheme and a host, for example https://app.example or http://localhost:5173; `*` is any"
    )]
    Origin,
}

/// Where a listener listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ListenAddress(pub SocketAddr);

impl ListenAddress {
    /// Whether only this machine can reach it.
    pub fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| AddressError::Listen)?;
            return Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        text.parse().map(Self).map_err(|_| {
            let is_name = |host: &str| host.contains(char::is_alphabetic) && !host.contains(':');
            match text.rsplit_once(':') {
                Some((host, port)) if is_name(host) && port.parse::<u16>().is_ok() => {
                    AddressError::Name
                }
                _ => AddressError::Listen,
            }
        })
    }
}

/// A host name or IP address, in lower case and without port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostName(String);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host of an authority (`name`, `name:port`, `[::1]:port`), as in the `Host` header.
    pub fn of_authority(authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                (
                    host,
                    after.strip_prefix(':').or(after.is_empty().then_some("")),
                )
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        if !port?.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        host.parse().ok()
    }

    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl FromStr for HostName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self(ip.to_string()));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if text.is_empty() || text.len() > 253 || !text.bytes().all(is_name) {
            return Err(AddressError::Host);
        }
        // A trailing dot names the same host.
        Ok(Self(
            text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase(),
        ))
    }
}

/// A web origin, or any (`*`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Origin {
    /// Every origin.
    Any,
    /// Scheme and authority, in lower case and as browsers send it.
    Exactly(String),
}

impl FromStr for Origin {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let lower = text.to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://").ok_or(AddressError::Origin)?;
        if scheme.is_empty() || HostName::of_authority(authority).is_none() {
            return Err(AddressError::Origin);
        }
        // Browsers leave out the port that the scheme implies.
        let implied = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => "",
        };
        let origin = lower.strip_suffix(implied).unwrap_or(&lower);
        Ok(Self::Exactly(origin.to_owned()))
    }
}

/// The addresses of reverse proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProxyNetwork(pub IpNet);

impl FromStr for ProxyNetwork {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address = || Some(IpNet::from(text.parse::<IpAddr>().ok()?));
        let network = text.parse::<IpNet>().ok().or_else(address);
        network.map(Self).ok_or(AddressError::Network)
    }
}

macro_rules! text {
    ($($name:ident: |$value:ident| $text:expr;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $value = self;
                formatter.write_str(&$text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = AddressError;

            fn try_from(text: String) -> Result<Self, AddressError> {
                text.parse()
            }
        }
    )*};
}

text! {
    ListenAddress: |address| address.0.to_string();
    HostName: |host| host.0;
    ProxyNetwork: |network| network.0.to_string();
    Origin: |origin| match origin {
        Origin::Any => "*",
        Origin::Exactly(origin) => origin.as_str(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_ip_and_port() {
        for good in ["127.0.0.1:0", "[::1]:1883", "localhost:80", "0.0.0.0:1883"] {
            assert!(good.parse::<ListenAddress>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "1883",
            "127.0.0.1",
            "broker.example:1883",
            "localhost:",
            "127.0.0.1:99999",
        ] {
            assert!(bad.parse::<ListenAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_where_an_address_must_be_is_called_one() {
        let error = |text: &str| {
            text.parse::<ListenAddress>()
                .expect_err("no address")
                .to_string()
        };
        assert!(error("broker.example:1883").contains("host names are not resolved"));
        for other in ["1883", "127.0.0.1", "[fe80::x]:1", "broker.example:99999"] {
            assert!(!error(other).contains("resolved"), "{other}");
        }
    }

    #[test]
    fn loopback_is_what_only_this_machine_reaches() {
        let is_loopback = |text: &str| {
            text.parse::<ListenAddress>()
                .map(ListenAddress::is_loopback)
                .ok()
        };
        assert_eq!(is_loopback("127.9.9.9:1"), Some(true));
        assert_eq!(is_loopback("[::1]:1"), Some(true));
        assert_eq!(is_loopback("[::ffff:127.0.0.1]:1"), Some(true));
        assert_eq!(is_loopback("0.0.0.0:1"), Some(false));
        assert_eq!(is_loopback("[::]:1"), Some(false));
        assert_eq!(is_loopback("192.168.1.2:1"), Some(false));
    }

    #[test]
    fn the_host_of_an_authority_is_without_port() {
        let host = |authority| HostName::of_authority(authority).map(|host| host.0);
        assert_eq!(host("LocalHost:8080").as_deref(), Some("localhost"));
        assert_eq!(host("[::1]:8080").as_deref(), Some("::1"));
        assert_eq!(host("[0:0::1]").as_deref(), Some("::1"));
        assert_eq!(host("broker.example.").as_deref(), Some("broker.example"));
        for bad in [
            "",
            ":80",
            "a b",
            "a:b",
            "user@host",
            "[::1",
            "[::1]x",
            "evil.example/127.0.0.1",
            "a\"b",
        ] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }

    #[test]
    fn origins_have_scheme_and_host() {
        assert_eq!("*".parse::<Origin>().ok(), Some(Origin::Any));
        let origin = "HTTPS://App.Example".parse::<Origin>().ok();
        assert_eq!(origin, Some(Origin::Exactly("https://app.example".into())));
        for (typed, sent) in [
            ("https://app.example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://app.example:443", "http://app.example:443"),
            ("https://app.example:8443", "https://app.example:8443"),
        ] {
            let origin = typed.parse::<Origin>().ok();
            assert_eq!(origin, Some(Origin::Exactly(sent.into())), "{typed}");
        }
        for bad in [
            "app.example",
            "https://",
            "https://app.example/path",
            "://x",
            "null",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
