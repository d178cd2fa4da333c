//! Where the broker is, as it is typed: `-L URL`, or `-h HOST -p PORT`.

use percent_encoding::percent_decode_str;

use super::MqttError;
use crate::cli::Login;

/// A broker's address, and what a URL may say beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Without user, password and topic.
    pub url: String,
    pub is_encrypted: bool,
    pub login: Login,
    /// Of `mqtt://HOST/TOPIC`, as Mosquitto's programs have it.
    pub topic: Option<String>,
}

impl Place {
    /// `scheme://[user[:password]@]host[:port][/…]`: behind the slash is a topic, with `ws` and `wss` the path.
    pub fn from_url(typed: &str) -> Result<Self, MqttError> {
        let fault = || {
            MqttError::Typed(format!(
                "--url {typed}: an address is mqtt://HOST:PORT, mqtts://HOST:PORT, ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"
            ))
        };
        let (scheme, rest) = typed.split_once("://").ok_or_else(fault)?;
        let (is_encrypted, is_web_socket) = match scheme {
            "mqtt" => (false, false),
            "mqtts" => (true, false),
            "ws" => (false, true),
            "wss" => (true, true),
            _ => return Err(fault()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if host.is_empty() {
            return Err(fault());
        }
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(String::from).map_err(|_| fault())
        };
        let login = Login::of_url(user.unwrap_or_default()).ok_or_else(fault)?;
        let is_topic = !is_web_socket && !path.is_empty();
        Ok(Self {
            url: match is_web_socket {
                true => format!("{scheme}://{host}/{path}"),
                false => format!("{scheme}://{host}"),
            },
            is_encrypted,
            login,
            topic: is_topic.then(|| decoded(path)).transpose()?,
        })
    }

    /// A host alone; `wants_tls`: an option speaks of it.
    pub fn from_host(host: &str, port: Option<u16>, wants_tls: bool) -> Self {
        let is_encrypted = wants_tls || port == Some(8883);
        let scheme = if is_encrypted { "mqtts" } else { "mqtt" };
        let port = port.unwrap_or(if is_encrypted { 8883 } else { 1883 });
        let host = match host.contains(':') && !host.starts_with('[') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        Self {
            url: format!("{scheme}://{host}:{port}"),
            is_encrypted,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_says() {
        let place = Place::from_url("mqtts://an%40n:p%3Aw@broker.example:8884/a/b").expect("a URL");
        assert_eq!(place.url, "mqtts://broker.example:8884");
        assert!(place.is_encrypted);
        assert_eq!(Some(place.login), Login::of_url("an%40n:p%3Aw"));
        assert_eq!(place.topic.as_deref(), Some("a/b"));
        let place = Place::from_url("wss://broker.example/mqtt").expect("a URL");
        assert_eq!(place.url, "wss://broker.example/mqtt");
        assert_eq!((place.topic, place.login), (None, Login::default()));
        for strange in ["broker.example", "http://a", "mqtt://", "mqtt://u@"] {
            assert!(Place::from_url(strange).is_err(), "{strange}");
        }
    }

    #[test]
    fn a_host_alone() {
        let url = |host, port, wants_tls| Place::from_host(host, port, wants_tls).url;
        assert_eq!(url("a", None, false), "mqtt://a:1883");
        assert_eq!(url("a", None, true), "mqtts://a:8883");
        assert_eq!(url("a", Some(8883), false), "mqtts://a:8883");
        assert_eq!(url("::1", Some(1), false), "mqtt://[::1]:1");
    }
}
