//! From what was typed to what holds: defaults filled in, contradictions and dangers refused.

use std::{path::PathBuf, time::Duration};

use ebbtide_broker::{Limits, PresenceTopic};
use ebbtide_protocol::ByteString;

use tracing_subscriber::EnvFilter;

use super::{
    AuthConfig, ConfigError, Durability, HostName, ListenAddress, LogFormat, Method, Options,
    Origin, ProxyNetwork, TlsFiles, file::nearest,
};

const RELAXED_COMMIT_MS: u32 = 100;
/// A week.
const PRESENCE_OFFLINE_EXPIRY_S: u32 = 7 * 24 * 3600;
/// Some thousand pages, and many times what one client may have under way (`uncommitted_bytes_max`).
const DISK_RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// As Mosquitto has it.
const SYS_INTERVAL_S: u32 = 10;

/// What the broker runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where MQTT over TCP is.
    pub mqtt: ListenAddress,
    /// Where HTTP and WebSocket are.
    pub http: ListenAddress,
    /// Where MQTT over TLS is, if it is.
    pub mqtts: Option<ListenAddress>,
    /// Where HTTP and WebSocket over TLS are, if they are.
    pub https: Option<ListenAddress>,
    /// What they show to clients; there whenever one of them is.
    pub tls: Option<TlsFiles>,
    /// Who may say who a client is.
    pub trusted_proxies: Vec<ProxyNetwork>,
    /// They say it in a header of the PROXY protocol, too.
    pub proxy_protocol: bool,
    /// What acknowledgements stand for at MQTT's listeners.
    pub mqtt_durability: Durability,
    /// At those of HTTP.
    pub http_durability: Durability,
    /// How often is committed while nobody waits for it.
    pub relaxed_commit: Duration,
    /// Where the data is.
    pub storage: Storage,
    /// What the broker leaves free of its file system, bytes.
    pub disk_reserve_bytes: u64,
    /// Nobody is asked who they are, from outside either; or those who say nothing may come in too.
    pub allow_anonymous: bool,
    /// Who is asked for what.
    pub auth: AuthConfig,
    /// Further hosts that pass.
    pub allow_host: Vec<HostName>,
    /// Further origins that pass.
    pub allow_origin: Vec<Origin>,
    /// Where clients are sent to when the broker stops.
    pub server_reference: Option<ByteString>,
    /// Where presence is kept, if it is.
    pub presence: Option<PresenceTopic>,
    /// What was typed for it.
    pub(super) presence_topic: Option<String>,
    pub(super) presence_offline_expiry_s: u32,
    /// How often the topics below `$SYS` are published; `None`: never.
    pub sys_interval: Option<Duration>,
    /// What the core allows.
    pub limits: Limits,
    /// A filter that parses.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In a folder.
    Directory(PathBuf),
    /// Nowhere.
    Ephemeral,
}

impl Config {
    /// The listeners whose acknowledgements do not stand for the disk.
    pub fn relaxed(&self) -> impl Iterator<Item = &'static str> {
        let listeners = [
            ("mqtt", self.mqtt_durability),
            ("http", self.http_durability),
        ];
        let relaxed = listeners
            .into_iter()
            .filter(|(_, durability)| *durability == Durability::Relaxed);
        relaxed.map(|(name, _)| name)
    }

    /// Fills in defaults and checks that all of it makes sense together.
    pub fn resolve(options: Options) -> Result<Self, ConfigError> {
        let loopback = |port| ListenAddress(([127, 0, 0, 1], port).into());
        let expiry_s = options
            .presence_offline_expiry_s
            .unwrap_or(PRESENCE_OFFLINE_EXPIRY_S);
        let auth = AuthConfig::resolve(&options)?;
        let config = Self {
            mqtt: options.mqtt.unwrap_or_else(|| loopback(1883)),
            http: options.http.unwrap_or_else(|| loopback(8080)),
            mqtts: options.mqtts,
            https: options.https,
            tls: TlsFiles::resolve(&options)?,
            trusted_proxies: options.trusted_proxies,
            proxy_protocol: options.proxy_protocol.unwrap_or(false),
            mqtt_durability: options.mqtt_durability.unwrap_or_default(),
            http_durability: options.http_durability.unwrap_or_default(),
            relaxed_commit: Duration::from_millis(
                options
                    .relaxed_commit_ms
                    .unwrap_or(RELAXED_COMMIT_MS)
                    .into(),
            ),
            storage: match options.ephemeral {
                Some(true) => Storage::Ephemeral,
                _ => {
                    Storage::Directory(options.data_dir.unwrap_or_else(|| "./ebbtide-data".into()))
                }
            },
            disk_reserve_bytes: options.disk_reserve_bytes.unwrap_or(DISK_RESERVE_BYTES),
            auth,
            allow_anonymous: options.allow_anonymous.unwrap_or(false),
            allow_host: options.allow_host,
            allow_origin: options.allow_origin,
            server_reference: options.server_reference.map(ByteString::from),
            presence: presence(options.presence_topic.as_deref(), expiry_s)?,
            presence_topic: options.presence_topic,
            presence_offline_expiry_s: expiry_s,
            sys_interval: match options.sys_interval.unwrap_or(SYS_INTERVAL_S) {
                0 => None,
                seconds => Some(Duration::from_secs(seconds.into())),
            },
            limits: options.limits.resolve(),
            log: options.log.unwrap_or_else(|| "info".into()),
            log_format: options.log_format.unwrap_or_default(),
        };
        config.check()?;
        Ok(config)
    }

    /// Whether all of it makes sense together, but for what stands only in the file.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_filter(&self.log).map_err(|why| ConfigError::LogFilter {
            filter: self.log.clone(),
            why,
        })?;
        self.check_listeners()?;
        self.check_certificates()?;
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            return Err(ConfigError::NoProxies);
        }
        if let Some(reference) = &self.server_reference
            && reference.len() > usize::from(u16::MAX)
        {
            return Err(ConfigError::ServerReference(reference.len()));
        }
        let levels = self.limits.topic_levels_max;
        if levels > Limits::TOPIC_LEVELS_CEILING {
            return Err(ConfigError::TopicLevels(levels));
        }
        if self.allow_anonymous || self.auth.is_on() {
            return Ok(());
        }
        for (option, address) in self.listeners() {
            if !address.is_loopback() {
                return Err(ConfigError::Exposed {
                    option,
                    address,
                    port: address.0.port(),
                });
            }
        }
        Ok(())
    }
}

impl Config {
    /// Every address that is listened on, with the option that names it.
    pub fn listeners(&self) -> impl Iterator<Item = (&'static str, ListenAddress)> {
        [
            ("--mqtt", Some(self.mqtt)),
            ("--http", Some(self.http)),
            ("--mqtts", self.mqtts),
            ("--https", self.https),
        ]
        .into_iter()
        .filter_map(|(option, address)| Some((option, address?)))
    }

    fn check_listeners(&self) -> Result<(), ConfigError> {
        let mut seen: Vec<(&str, ListenAddress)> = Vec::new();
        for (option, address) in self.listeners() {
            let same = seen.iter().find(|(_, other)| *other == address);
            if let Some((other, _)) = same.filter(|_| address.0.port() != 0) {
                return Err(ConfigError::SameAddress(other, option, address));
            }
            seen.push((option, address));
        }
        let encrypted = [("--mqtts", self.mqtts), ("--https", self.https)];
        let encrypted = encrypted.into_iter().find(|(_, address)| address.is_some());
        match (encrypted, &self.tls) {
            (Some((option, _)), None) => Err(ConfigError::NoCertificate(option)),
            (None, Some(tls)) if tls.client_authorities.is_some() => {
                Err(ConfigError::UnusedClientAuthorities)
            }
            _ => Ok(()),
        }
    }
}

impl Config {
    fn check_certificates(&self) -> Result<(), ConfigError> {
        if !self.auth.methods.contains(&Method::Certificate) {
            return Ok(());
        }
        let authorities = self
            .tls
            .as_ref()
            .and_then(|tls| tls.client_authorities.as_ref());
        if authorities.is_none() {
            return Err(ConfigError::NoClientAuthorities(
                "`auth` with `certificate`",
            ));
        }
        match self.allow_origin.contains(&Origin::Any) {
            true => Err(ConfigError::CertificatesForAnyOrigin),
            false => Ok(()),
        }
    }
}

fn presence(template: Option<&str>, expiry_s: u32) -> Result<Option<PresenceTopic>, ConfigError> {
    let Some(template) = template else {
        return Ok(None);
    };
    let topic = PresenceTopic::new(template, Some(expiry_s).filter(|seconds| *seconds > 0));
    topic.map(Some).map_err(|why| ConfigError::PresenceTopic {
        template: template.to_owned(),
        why,
    })
}

/// A word alone would be a part of the program to the filter, and silence all others: here it must be a level.
fn check_filter(filter: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    let is_word = |part: &&str| !part.contains(['=', '[', ']', '{', '}', '"']);
    for word in filter.split(',').filter(is_word) {
        let lower = word.to_ascii_lowercase();
        if LEVELS.contains(&lower.as_str()) {
            continue;
        }
        let near = nearest(&lower, LEVELS.into_iter());
        let hint = near.map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
        return Err(format!("`{word}` is not a level{hint}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::{self, Cli};

    fn resolve<const N: usize>(arguments: [&str; N]) -> Result<Config, ConfigError> {
        Config::resolve(cli::parse(arguments).expect("valid flags"))
    }

    #[test]
    fn nobody_listens_to_the_world_by_accident() {
        for flag in ["--mqtt", "--http"] {
            let error = resolve([flag, "0.0.0.0:1884"])
                .expect_err("exposed")
                .to_string();
            assert!(
                error.contains(flag) && error.contains("--allow-anonymous"),
                "{error}"
            );
            assert!(resolve([flag, "0.0.0.0:1884", "--allow-anonymous"]).is_ok());
            assert!(resolve([flag, "0.0.0.0:1884", "--allow-anonymous=false"]).is_err());
        }
        assert!(resolve([]).is_ok());
    }

    #[test]
    fn contradictions_are_refused() {
        let both = resolve(["--mqtt", "127.0.0.1:7", "--http", "127.0.0.1:7"]);
        assert!(matches!(both, Err(ConfigError::SameAddress(..))));
        assert!(resolve(["--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"]).is_ok());
        let tls = ["--tls-certificate", "c", "--tls-key", "k"];
        let [a, b, c, d] = tls;
        let same = resolve([a, b, c, d, "--mqtts", "127.0.0.1:8080"]).expect_err("the same");
        assert!(
            same.to_string()
                .contains("--http and --mqtts both name 127.0.0.1:8080")
        );
        assert!(resolve([a, b, c, d, "--mqtts", "127.0.0.1:9"]).is_ok());
        let bare = resolve(["--https", "127.0.0.1:9"]).expect_err("no certificate");
        assert!(
            bare.to_string().contains("--https listens with TLS"),
            "{bare}"
        );
        let half = resolve([a, b]).expect_err("no key").to_string();
        assert!(half.contains("--tls-key is missing"), "{half}");
        let exposed = resolve([a, b, c, d, "--mqtts", "0.0.0.0:8883"]).expect_err("exposed");
        assert!(
            exposed.to_string().contains("--mqtts 0.0.0.0:8883"),
            "{exposed}"
        );
        let unused = resolve([a, b, c, d, "--tls-client-ca", "a"]);
        assert!(matches!(unused, Err(ConfigError::UnusedClientAuthorities)));
        let nobody = resolve([
            a,
            b,
            c,
            d,
            "--mqtts",
            "127.0.0.1:9",
            "--auth",
            "certificate",
        ]);
        let nobody = nobody.expect_err("no authority").to_string();
        assert!(nobody.contains("--tls-client-ca FILE"), "{nobody}");
        let signed = [a, b, c, d, "--mqtts", "127.0.0.1:9", "--tls-client-ca", "a"];
        let with = |more: &[&str]| {
            let all = [&signed[..], &["--auth", "certificate"], more].concat();
            Config::resolve(cli::parse_all(&all).expect("valid flags"))
        };
        assert!(with(&[]).is_ok());
        let any = with(&["--allow-origin", "*"]).expect_err("any page");
        assert!(any.to_string().contains("any web page"), "{any}");
        assert!(matches!(
            resolve(["--log", "ebbtide=loud"]),
            Err(ConfigError::LogFilter { .. })
        ));
    }

    #[test]
    fn topics_are_no_deeper_than_the_stack_bears() {
        assert!(resolve(["--topic-levels-max", "2048"]).is_ok());
        let error = resolve(["--topic-levels-max", "2049"]).expect_err("too many");
        let expected = "topic_levels_max is 2049: give at most 2048";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_word_in_the_log_filter_is_a_level() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,ebbtide=debug",
            "debug,hyper=off",
            "info,a[b{c=1}]=trace",
        ] {
            assert!(resolve(["--log", good]).is_ok(), "{good}");
        }
        for bad in ["infoo", "ebbtide", "info,hyper", ""] {
            let error = resolve(["--log", bad]).expect_err(bad).to_string();
            assert!(
                error.contains("not a level") && error.contains("off, error, warn"),
                "{error}"
            );
        }
        let error = resolve(["--log", "infoo"]).expect_err("infoo").to_string();
        assert!(error.contains("did you mean `info`?"), "{error}");
    }

    #[test]
    fn the_help_names_the_true_defaults() {
        let shown = resolve([]).expect("the defaults are valid").to_string();
        let mut named = 0;
        for argument in Cli::command().get_arguments() {
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let Some((_, rest)) = help.split_once("Default: `") else {
                continue;
            };
            let Some((default, _)) = rest.split_once('`') else {
                continue;
            };
            let key = argument.get_id().as_str();
            if key == "config" {
                continue;
            }
            let line = shown
                .lines()
                .find(|line| line.starts_with(&format!("{key} = ")));
            let value = line
                .and_then(|line| line.split_once(" = "))
                .map(|(_, value)| value.trim_matches('"'));
            assert_eq!(value, Some(default), "{key}");
            named += 1;
        }
        assert_eq!(named, 48);
    }

    #[test]
    fn what_check_prints_is_a_file_that_says_the_same() {
        let config = resolve([
            "--ephemeral",
            "--allow-host",
            "a.example",
            "--allow-origin",
            "https://b.example",
        ])
        .expect("valid");
        let again: Options = toml::from_str(&config.to_string()).expect("valid TOML");
        assert_eq!(
            Config::resolve(again).expect("valid").to_string(),
            config.to_string()
        );
    }
}
