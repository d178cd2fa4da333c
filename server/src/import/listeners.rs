//! The listeners of `mosquitto.conf`: this broker has at most four, one of each kind, and TLS is the same for both that have it.

use super::{Line, Notes};

/// One of theirs.
#[derive(Clone, Debug)]
struct Listener {
    line: Line,
    port: u16,
    address: String,
    is_websocket: bool,
    certificate: Option<String>,
    key: Option<String>,
    authority: Option<String>,
    requires_certificate: bool,
    is_user: bool,
    revoked: Option<String>,
}

impl Listener {
    fn new(line: &Line, port: u16, address: &str) -> Self {
        Self {
            line: line.clone(),
            port,
            address: address.to_owned(),
            is_websocket: false,
            certificate: None,
            key: None,
            authority: None,
            requires_certificate: false,
            is_user: false,
            revoked: None,
        }
    }

    fn kind(&self) -> Kind {
        match (self.is_websocket, self.certificate.is_some()) {
            (false, false) => Kind::Mqtt,
            (true, false) => Kind::Http,
            (false, true) => Kind::Mqtts,
            (true, true) => Kind::Https,
        }
    }

    /// As it is typed here: `0.0.0.0:1883`.
    fn address(&self) -> String {
        match &*self.address {
            "" => format!("0.0.0.0:{}", self.port),
            "localhost" => format!("127.0.0.1:{}", self.port),
            address if address.contains(':') => format!("[{address}]:{}", self.port),
            address => format!("{address}:{}", self.port),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mqtt,
    Http,
    Mqtts,
    Https,
}

impl Kind {
    const ALL: [(Self, &str); 4] = [
        (Self::Mqtt, "mqtt"),
        (Self::Http, "http"),
        (Self::Mqtts, "mqtts"),
        (Self::Https, "https"),
    ];
}

/// All of them; the first is the one that is there without `listener`.
#[derive(Debug, Default)]
pub struct Listeners {
    all: Vec<Listener>,
    /// What stands above the first `listener`, without a port: it says nothing of its own.
    has_default: bool,
}

impl Listeners {
    /// Whether any was given.
    pub fn are_given(&self) -> bool {
        !self.all.is_empty()
    }

    /// Whether certificates say who a client is.
    pub fn has_certificate_users(&self) -> bool {
        self.all.iter().any(|one| one.is_user)
    }

    /// Whether clients without a certificate are turned away.
    pub fn requires_certificates(&self) -> bool {
        self.all.iter().any(|one| one.requires_certificate)
    }

    /// `false`: the line is about something else.
    pub fn take(&mut self, line: &Line, key: &str, value: &str, notes: &mut Notes) -> bool {
        match key {
            "listener" => self.open(line, value, notes),
            "port" => self.default_listener(line).port = value.parse().unwrap_or(1883),
            "bind_address" => value.clone_into(&mut self.default_listener(line).address),
            "protocol" => match value {
                "mqtt" => {}
                "websockets" => self.last(line).is_websocket = true,
                _ => notes.add(
                    line,
                    format!(
                        "there is no protocol {value:?}: the listener is taken for one of MQTT"
                    ),
                ),
            },
            "certfile" => self.last(line).certificate = Some(value.to_owned()),
            "keyfile" => self.last(line).key = Some(value.to_owned()),
            "cafile" => self.last(line).authority = Some(value.to_owned()),
            "capath" => notes.add(line, "give the authorities in one file: `tls_client_ca`"),
            "crlfile" => self.last(line).revoked = Some(value.to_owned()),
            "require_certificate" => self.last(line).requires_certificate = value == "true",
            "use_identity_as_username" => self.last(line).is_user = value == "true",
            "use_subject_as_username" if value == "true" => {
                self.last(line).is_user = true;
                notes.add(
                    line,
                    "the whole subject cannot be the user name: its common name is taken",
                );
            }
            "use_subject_as_username" => {}
            "use_username_as_clientid" if value == "true" => {
                notes.add(
                    line,
                    "client ids are what clients say; a session belongs to the user that began it",
                );
            }
            "use_username_as_clientid" => {}
            "max_qos" => {
                if value != "2" {
                    notes.add(line, "QoS 2 is always there");
                }
            }
            "mount_point" => notes.add(
                line,
                "there are no mount points: use rules with `{user}` or a prefix in the clients",
            ),
            "http_dir" => notes.add(
                line,
                "files of yours are not served: another web server has to",
            ),
            "tls_version" => notes.add(line, "TLS 1.2 and 1.3 are taken"),
            "ciphers"
            | "ciphers_tls1.3"
            | "dhparamfile"
            | "tls_engine"
            | "tls_engine_kpass_sha1"
            | "tls_keyform" => {
                notes.add(line, "the cipher suites are those of rustls");
            }
            "socket_domain" | "bind_interface" => {
                notes.add(line, "give the IP address to listen on");
            }
            "websockets_headers_size" => {}
            _ => return false,
        }
        true
    }

    fn open(&mut self, line: &Line, value: &str, notes: &mut Notes) {
        let (port, address) = value.split_once(' ').unwrap_or((value, ""));
        match port.parse() {
            Ok(0) => notes.add(
                line,
                "sockets of the file system are not listened on: left out",
            ),
            Ok(port) => self.all.push(Listener::new(line, port, address.trim())),
            Err(_) => notes.add(line, format!("{port:?} is no port: left out")),
        }
    }

    /// That of `port` and `bind_address`, which stands before all others.
    fn default_listener(&mut self, line: &Line) -> &mut Listener {
        if !self.has_default {
            self.has_default = true;
            self.all.insert(0, Listener::new(line, 1883, ""));
        }
        &mut self.all[0]
    }

    /// The one that a line is about.
    fn last(&mut self, line: &Line) -> &mut Listener {
        if self.all.is_empty() {
            self.default_listener(line);
        }
        self.all.last_mut().expect("one was just made")
    }

    /// Key and value of those that are taken over.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut lines = Vec::new();
        for (kind, key) in Kind::ALL {
            if let Some(one) = self.first(kind) {
                lines.push((key, quoted(&one.address())));
            }
        }
        if let Some(one) = self.with_tls() {
            let files = [("tls_certificate", &one.certificate), ("tls_key", &one.key)];
            for (key, file) in files {
                if let Some(file) = file {
                    lines.push((key, quoted(file)));
                }
            }
        }
        if let Some(one) = self.asking() {
            if let Some(authority) = &one.authority {
                lines.push(("tls_client_ca", quoted(authority)));
            }
            if let Some(revoked) = &one.revoked {
                lines.push(("tls_client_crl", quoted(revoked)));
            }
        }
        lines
    }

    fn first(&self, kind: Kind) -> Option<&Listener> {
        self.all.iter().find(|one| one.kind() == kind)
    }

    fn with_tls(&self) -> Option<&Listener> {
        self.all.iter().find(|one| one.certificate.is_some())
    }

    fn asking(&self) -> Option<&Listener> {
        self.all.iter().find(|one| one.requires_certificate)
    }

    /// What can be said once all are known.
    pub fn conclude(&self, notes: &mut Notes) {
        for (kind, key) in Kind::ALL {
            let same = self.all.iter().filter(|one| one.kind() == kind);
            for one in same.skip(1) {
                notes.add(
                    &one.line,
                    format!("there is one `{key}` address here: this listener is left out"),
                );
            }
        }
        let first = self.with_tls();
        for one in &self.all {
            if one.address.is_empty() {
                notes.add(
                    &one.line,
                    format!("every IPv4 address; for IPv6 as well: `[::]:{}`", one.port),
                );
            } else if one.address().parse::<std::net::SocketAddr>().is_err() {
                notes.add(
                    &one.line,
                    format!(
                        "{:?} is no IP address: host names are not resolved",
                        one.address
                    ),
                );
            }
            if one.certificate.is_some() && one.key.is_none() {
                notes.add(&one.line, "it has a `certfile` and no `keyfile`");
            }
            let is_other = |first: &&Listener| {
                one.certificate.is_some()
                    && (&first.certificate, &first.key) != (&one.certificate, &one.key)
            };
            if first.as_ref().is_some_and(is_other) {
                notes.add(
                    &one.line,
                    "both listeners with TLS have one certificate here: the first that is given",
                );
            }
            if self.requires_certificates()
                && one.certificate.is_some()
                && !one.requires_certificate
            {
                notes.add(&one.line, "`tls_client_ca` is about both listeners with TLS: here, too, clients have to show a certificate");
            }
            if one.is_websocket {
                notes.add(
                    &one.line,
                    "MQTT over WebSocket is at the path `/mqtt`; pages of other origins need `allow_origin`, other names of this machine `allow_host`",
                );
            }
        }
        if !self.all.is_empty() && self.first(Kind::Mqtt).is_none() {
            notes.add_general("MQTT without TLS is listened for at 127.0.0.1:1883 all the same");
        }
        if self.first(Kind::Http).is_none() {
            notes.add_general(
                "the dashboard, the API and MQTT over WebSocket are at 127.0.0.1:8080 (`http`)",
            );
        }
    }
}
