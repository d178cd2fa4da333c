//! Every option, defined once: its flag, its environment variable, its key in the file, its help and its reference.
//!
//! A field that is `None` or empty was not given; what then holds is decided in `resolve`. A default that a help text
//! names is checked against it by a test.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::{
    ConfigError, HostName, JwtKey, ListenAddress, Method, Origin, ProxyNetwork, UserSeed,
    limits::LimitOptions,
    reload::{AT_ONCE, CONNECTIONS, RESTART},
};
use crate::tls::CertificateUser;

/// What was typed.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where MQTT clients connect; port 0 takes a free one. Default: `127.0.0.1:1883`.
    #[arg(long, global = true, value_name = "ADDR", env = "EBBTIDE_MQTT", add = RESTART)]
    pub mqtt: Option<ListenAddress>,

    /// Where the dashboard, the API and MQTT over WebSocket (`/mqtt`) are. Default: `127.0.0.1:8080`.
    #[arg(long, global = true, value_name = "ADDR", env = "EBBTIDE_HTTP", add = RESTART)]
    pub http: Option<ListenAddress>,

    /// Where MQTT clients connect with TLS, for example `0.0.0.0:8883`; needs `tls_certificate` and `tls_key`. Not given:
    /// nowhere.
    #[arg(long, global = true, value_name = "ADDR", env = "EBBTIDE_MQTTS", add = RESTART)]
    pub mqtts: Option<ListenAddress>,

    /// Where the dashboard, the API and MQTT over WebSocket are with TLS (`https`, `wss`), for example `0.0.0.0:8443`; needs
    /// `tls_certificate` and `tls_key`. Not given: nowhere.
    #[arg(long, global = true, value_name = "ADDR", env = "EBBTIDE_HTTPS", add = RESTART)]
    pub https: Option<ListenAddress>,

    /// The certificate of this broker, followed by those between it and its authority: a PEM file. It is read again when it
    /// changes; connections that stand are left alone.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "EBBTIDE_TLS_CERTIFICATE", add = CONNECTIONS
    )]
    pub tls_certificate: Option<PathBuf>,

    /// The private key of that certificate: a PEM file (PKCS#8, PKCS#1 or SEC1) that only the broker can read.
    #[arg(long, global = true, value_name = "FILE", env = "EBBTIDE_TLS_KEY", add = CONNECTIONS)]
    pub tls_key: Option<PathBuf>,

    /// Authorities that sign certificates of clients: a PEM file. With it a client without such a certificate is turned away
    /// during the handshake. Not given: clients are not asked for one.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "EBBTIDE_TLS_CLIENT_CA", add = CONNECTIONS
    )]
    pub tls_client_ca: Option<PathBuf>,

    /// Whether a client may do without such a certificate: `required` turns it away, `optional` leaves it to `auth`. Default: `required`.
    #[arg(long, global = true, value_name = "KIND", env = "EBBTIDE_TLS_CLIENT_CERTIFICATES", add = CONNECTIONS)]
    pub tls_client_certificates: Option<ClientCertificates>,

    /// Client certificates that these authorities have revoked: a PEM file of revocation lists (CRL), read again when it
    /// changes. Not given: none is revoked.
    #[arg(long, global = true, value_name = "FILE", env = "EBBTIDE_TLS_CLIENT_CRL", add = CONNECTIONS)]
    pub tls_client_crl: Option<PathBuf>,

    /// A reverse proxy that is believed about the addresses of its clients, as an address or a network (`10.0.0.0/8`); may be
    /// repeated. It says them in `X-Forwarded-For` and, with `proxy_protocol`, in the PROXY header. Not given: none is believed.
    #[arg(
        long,
        global = true,
        value_name = "NETWORK",
        env = "EBBTIDE_TRUSTED_PROXIES", add = CONNECTIONS,
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<ProxyNetwork>,

    /// Connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2, on every listener; one without it
    /// is closed. Default: `false`.
    #[arg(long, global = true, value_name = "BOOL", env = "EBBTIDE_PROXY_PROTOCOL", add = CONNECTIONS, num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub proxy_protocol: Option<bool>,

    /// What an acknowledgement to an MQTT client, with TLS or without, promises. `durable`: what it acknowledges is on disk. `relaxed`
    /// acknowledges at once and commits from time to time: a crash loses what was acknowledged since the last commit, and gives packet ids
    /// out again that were in use since then, so a subscriber at QoS 2 may take a new message for a repetition. Default: `durable`.
    #[arg(
        long,
        global = true,
        value_name = "KIND",
        env = "EBBTIDE_MQTT_DURABILITY", add = RESTART
    )]
    pub mqtt_durability: Option<Durability>,

    /// The same for MQTT over WebSocket, with TLS and without. The HTTP API is always durable. Default: `durable`.
    #[arg(
        long,
        global = true,
        value_name = "KIND",
        env = "EBBTIDE_HTTP_DURABILITY", add = RESTART
    )]
    pub http_durability: Option<Durability>,

    /// The time between commits while only clients of relaxed listeners have something for the disk. Default: `100`.
    #[arg(
        long,
        global = true,
        value_name = "MILLISECONDS",
        env = "EBBTIDE_RELAXED_COMMIT_MS", add = RESTART
    )]
    pub relaxed_commit_ms: Option<u32>,

    /// The folder that keeps the data; it is created if need be. Default: `./ebbtide-data`.
    #[arg(long, global = true, value_name = "DIR", env = "EBBTIDE_DATA_DIR", add = RESTART)]
    pub data_dir: Option<PathBuf>,

    /// How many bytes of its file system the broker leaves free. With less, it refuses what would have to be kept, until there
    /// is room again; 0: it does not check, and only notices when a write fails. Default: `67108864`.
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "EBBTIDE_DISK_RESERVE_BYTES", add = RESTART
    )]
    pub disk_reserve_bytes: Option<u64>,

    /// Keeps everything in memory only: what was acknowledged is gone when the broker stops. Default: `false`.
    #[arg(long, global = true, value_name = "BOOL", env = "EBBTIDE_EPHEMERAL", add = RESTART, num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub ephemeral: Option<bool>,

    /// Lets anybody in without asking who they are, even from outside this machine. With `auth`: lets clients in that show no
    /// credentials, as anonymous clients that rules decide about. Default: `false`.
    #[arg(long, global = true, value_name = "BOOL", env = "EBBTIDE_ALLOW_ANONYMOUS", add = RESTART, num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    pub allow_anonymous: Option<bool>,

    /// How clients say who they are, in this order: `password` (users of this broker, see `[[users]]`), `jwt` (tokens that others have
    /// signed, see `[[jwt]]`), `certificate` (of the client, see `tls_client_ca`). Then rules decide what they may do (see `[[rules]]`). Not given: nobody is asked.
    #[arg(
        long,
        global = true,
        value_name = "METHOD",
        env = "EBBTIDE_AUTH", add = RESTART,
        value_delimiter = ','
    )]
    pub auth: Vec<Method>,

    /// Which name of a client's certificate is its user: `common_name` (of the subject), `dns` or `email` (the one subject
    /// alternative name of that kind). Default: `common_name`.
    #[arg(long, global = true, value_name = "NAME", env = "EBBTIDE_CERTIFICATE_USER", add = RESTART)]
    pub certificate_user: Option<CertificateUser>,

    /// Accepts a certificate only if its user is also a user of this broker, so that a removed user stays out. Default: `false`.
    #[arg(long, global = true, value_name = "BOOL", env = "EBBTIDE_CERTIFICATE_KNOWN_USERS", add = RESTART, num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    pub certificate_known_users: Option<bool>,

    /// A further name under which browsers reach this broker, as in the address line; may be repeated. Loopback names
    /// and the address itself always pass, and so does MQTT over WebSocket by whatever is no page: by what comes without `Origin`.
    #[arg(
        long,
        global = true,
        value_name = "HOST",
        env = "EBBTIDE_ALLOW_HOST", add = AT_ONCE,
        value_delimiter = ','
    )]
    pub allow_host: Vec<HostName>,

    /// A further web origin whose pages may use MQTT over WebSocket, or `*` for any; may be repeated. Pages that the
    /// broker itself serves always may. The HTTP API is not for other origins: it sends no CORS headers.
    #[arg(
        long,
        global = true,
        value_name = "ORIGIN",
        env = "EBBTIDE_ALLOW_ORIGIN", add = AT_ONCE,
        value_delimiter = ','
    )]
    pub allow_origin: Vec<Origin>,

    /// Where clients are sent to when this broker stops, for example `other.example:1883`: they get the reason code 0x9C
    /// and this as Server Reference.
    #[arg(
        long,
        global = true,
        value_name = "SERVER",
        env = "EBBTIDE_SERVER_REFERENCE", add = AT_ONCE
    )]
    pub server_reference: Option<String>,

    /// Keeps presence: for each client a retained entry in this topic says whether it is connected. `{client}` stands in
    /// it for the client id (percent-encoded), for example `presence/{client}`. Clients that came without an id have
    /// none, and no client can publish there. Not given: none is kept. Entries of an earlier topic stay as they are when it is
    /// changed or taken away: clear them.
    #[arg(
        long,
        global = true,
        value_name = "TOPIC",
        env = "EBBTIDE_PRESENCE_TOPIC", add = RESTART
    )]
    pub presence_topic: Option<String>,

    /// After how many seconds the entry of a client that is gone goes as well; 0: never. Default: `604800`.
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        env = "EBBTIDE_PRESENCE_OFFLINE_EXPIRY_S", add = RESTART
    )]
    pub presence_offline_expiry_s: Option<u32>,

    /// How often the topics below `$SYS/broker/` are published; 0: never. Default: `10`.
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        env = "EBBTIDE_SYS_INTERVAL", add = RESTART
    )]
    pub sys_interval: Option<u32>,

    /// What is logged: a level (off, error, warn, info, debug, trace) or a list such as `info,ebbtide=debug`. Default:
    /// `info`.
    #[arg(long, global = true, value_name = "FILTER", env = "EBBTIDE_LOG", add = AT_ONCE)]
    pub log: Option<String>,

    /// How log lines look. Default: `text`.
    #[arg(long, global = true, value_name = "FORMAT", env = "EBBTIDE_LOG_FORMAT", add = RESTART)]
    pub log_format: Option<LogFormat>,

    /// Users to begin with; in the file only.
    #[arg(skip)]
    pub users: Vec<UserSeed>,

    /// Rules to begin with; in the file only.
    #[arg(skip)]
    pub rules: Vec<ebbtide_api::Rule>,

    /// Whose tokens count; in the file only.
    #[arg(skip)]
    pub jwt: Vec<JwtKey>,

    /// What the core allows.
    #[command(flatten)]
    pub limits: LimitOptions,
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// Without one there is no handshake.
    #[default]
    Required,
    /// Those who have none may come as well.
    Optional,
}

impl ClientCertificates {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }
}

/// What acknowledgements stand for.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// What is acknowledged is on disk.
    #[default]
    Durable,
    /// What is acknowledged is on its way there.
    Relaxed,
}

impl Durability {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Relaxed => "relaxed",
        }
    }
}

impl From<Durability> for ebbtide_broker::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Durable => Self::Durable,
            Durability::Relaxed => Self::Relaxed,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: an object per line.
    Json,
}

impl Options {
    /// What flags and environment say, the flags first; `is_flag` tells by its id what was typed as a flag.
    pub fn ranked(mut self, is_flag: impl Fn(&str) -> bool) -> Result<Self, ConfigError> {
        match (is_flag("data_dir"), is_flag("ephemeral")) {
            (true, false) => self.ephemeral = None,
            (false, true) => self.data_dir = None,
            (true, true) => self.check_storage("--data-dir and --ephemeral")?,
            (false, false) => self.check_storage("EBBTIDE_DATA_DIR and EBBTIDE_EPHEMERAL")?,
        }
        Ok(self)
    }

    /// One source must not name a folder and no folder; `both` says which two it named.
    pub(super) fn check_storage(&self, both: &'static str) -> Result<(), ConfigError> {
        if self.data_dir.is_some() && self.ephemeral == Some(true) {
            return Err(ConfigError::TwoStorages(both));
        }
        Ok(())
    }

    /// These, and where something is not given, those of lower rank.
    pub fn or(self, lower: Self) -> Self {
        // A folder named here beats an `ephemeral = true` of lower rank, and the other way round.
        let ephemeral = match (self.ephemeral, &self.data_dir) {
            (None, Some(_)) => Some(false),
            (typed, _) => typed.or(lower.ephemeral),
        };
        Self {
            mqtt: self.mqtt.or(lower.mqtt),
            http: self.http.or(lower.http),
            mqtts: self.mqtts.or(lower.mqtts),
            https: self.https.or(lower.https),
            tls_certificate: self.tls_certificate.or(lower.tls_certificate),
            tls_key: self.tls_key.or(lower.tls_key),
            tls_client_ca: self.tls_client_ca.or(lower.tls_client_ca),
            tls_client_certificates: self
                .tls_client_certificates
                .or(lower.tls_client_certificates),
            tls_client_crl: self.tls_client_crl.or(lower.tls_client_crl),
            trusted_proxies: if self.trusted_proxies.is_empty() {
                lower.trusted_proxies
            } else {
                self.trusted_proxies
            },
            proxy_protocol: self.proxy_protocol.or(lower.proxy_protocol),
            mqtt_durability: self.mqtt_durability.or(lower.mqtt_durability),
            http_durability: self.http_durability.or(lower.http_durability),
            relaxed_commit_ms: self.relaxed_commit_ms.or(lower.relaxed_commit_ms),
            data_dir: self.data_dir.or(lower.data_dir),
            disk_reserve_bytes: self.disk_reserve_bytes.or(lower.disk_reserve_bytes),
            ephemeral,
            allow_anonymous: self.allow_anonymous.or(lower.allow_anonymous),
            auth: if self.auth.is_empty() {
                lower.auth
            } else {
                self.auth
            },
            certificate_user: self.certificate_user.or(lower.certificate_user),
            certificate_known_users: self
                .certificate_known_users
                .or(lower.certificate_known_users),
            users: [self.users, lower.users].concat(),
            rules: [self.rules, lower.rules].concat(),
            jwt: [self.jwt, lower.jwt].concat(),
            allow_host: if self.allow_host.is_empty() {
                lower.allow_host
            } else {
                self.allow_host
            },
            allow_origin: if self.allow_origin.is_empty() {
                lower.allow_origin
            } else {
                self.allow_origin
            },
            server_reference: self.server_reference.or(lower.server_reference),
            presence_topic: self.presence_topic.or(lower.presence_topic),
            presence_offline_expiry_s: self
                .presence_offline_expiry_s
                .or(lower.presence_offline_expiry_s),
            sys_interval: self.sys_interval.or(lower.sys_interval),
            log: self.log.or(lower.log),
            log_format: self.log_format.or(lower.log_format),
            limits: self.limits.or(lower.limits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    #[test]
    fn flags_beat_the_file() {
        let typed =
            cli::parse(["--mqtt", "127.0.0.1:5", "--allow-anonymous"]).expect("valid flags");
        let file = Options {
            mqtt: "127.0.0.1:6".parse().ok(),
            http: "127.0.0.1:7".parse().ok(),
            allow_anonymous: Some(false),
            ..Options::default()
        };
        let both = typed.or(file);
        assert_eq!(both.mqtt, "127.0.0.1:5".parse().ok());
        assert_eq!(both.http, "127.0.0.1:7".parse().ok());
        assert_eq!(both.allow_anonymous, Some(true));
    }

    #[test]
    fn a_folder_on_the_command_line_beats_ephemeral_in_the_file() {
        let typed = cli::parse(["--data-dir", "here"]).expect("valid flags");
        let file = Options {
            ephemeral: Some(true),
            ..Options::default()
        };
        assert_eq!(typed.or(file).ephemeral, Some(false));
    }

    #[test]
    fn a_flag_beats_the_environment_for_the_storage_too() {
        let both = || Options {
            data_dir: Some("here".into()),
            ephemeral: Some(true),
            ..Options::default()
        };
        let ranked = |flags: &[&str]| both().ranked(|id| flags.contains(&id));
        let kept = ranked(&["ephemeral"]).expect("a flag and a variable");
        assert_eq!((kept.data_dir, kept.ephemeral), (None, Some(true)));
        let kept = ranked(&["data_dir"]).expect("a flag and a variable");
        assert_eq!((kept.data_dir, kept.ephemeral), (Some("here".into()), None));
        let refused = |flags: &[&str]| ranked(flags).expect_err("one source").to_string();
        assert!(refused(&["data_dir", "ephemeral"]).contains("--data-dir and --ephemeral at once"));
        assert!(refused(&[]).contains("EBBTIDE_DATA_DIR and EBBTIDE_EPHEMERAL at once"));
        let kept = cli::parse(["serve", "--data-dir", "here", "--ephemeral=false"]);
        assert_eq!(kept.expect("no contradiction").ephemeral, Some(false));
    }

    #[test]
    fn flags_may_stand_before_and_after_the_command() {
        let before = cli::parse(["--mqtt", "127.0.0.1:5", "serve"]).expect("valid flags");
        let after = cli::parse(["serve", "--mqtt", "127.0.0.1:5"]).expect("valid flags");
        assert_eq!(before, after);
        assert_eq!(
            cli::parse(["--allow-anonymous", "serve"])
                .expect("valid flags")
                .allow_anonymous,
            Some(true)
        );
    }

    #[test]
    fn an_unknown_flag_or_value_names_what_is_allowed() {
        let message = |arguments: [&str; 2]| match cli::parse(arguments) {
            Ok(options) => panic!("accepted: {options:?}"),
            Err(error) => error.to_string(),
        };
        assert!(message(["--mqqt", "127.0.0.1:5"]).contains("--mqtt"));
        assert!(message(["--log-format", "jsn"]).contains("json"));
        assert!(message(["--mqtt", "1883"]).contains("127.0.0.1:1883"));
        assert!(message(["config", "chekc"]).contains("check"));
        let strange = message(["serve", "--zzz"]);
        assert!(
            strange.contains("--mqtt, --http") && strange.contains("ebbtide --help"),
            "{strange}"
        );
    }
}
