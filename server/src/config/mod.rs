//! The configuration: as typed ([`Options`], from flags, environment and file) and as resolved ([`Config`]).
//!
//! Flags beat the environment, the environment beats the file. Nothing outside this folder sees what was typed; what
//! it resolves to is complete and consistent.

mod address;
mod auth;
mod file;
mod limits;
mod options;
mod reference;
mod reload;
mod resolve;
mod show;
mod then;
mod tls;

pub use address::{HostName, ListenAddress, Origin, ProxyNetwork};
pub use auth::{AuthConfig, CertificateRules, JwtKey, Method, UserSeed};
pub use file::{parse, read_file, unknown_variables};
pub use options::{ClientCertificates, Durability, LogFormat, Options};
pub use reference::reference;
pub use reload::{Reload, differences, in_force};
pub use resolve::{Config, Storage};
pub use tls::TlsFiles;

use self::file::Section;

use std::path::PathBuf;

use ebbtide_broker::{Limits, PresenceTopicError};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file has a mistake.
    #[error("{path}:{line}: {message}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Strangers could reach an address, and nobody would be asked who they are.
    #[error(
        "{option} {address} can be reached from outside, and no authentication is configured: anybody could read and \
         publish everything. Use a loopback address (for example {option} 127.0.0.1:{port}), or give \
         --allow-anonymous if that is what you want (to ask everybody who they are: --auth, see docs/security.md)"
    )]
    Exposed {
        /// The option that names the address.
        option: &'static str,
        /// The address.
        address: ListenAddress,
        /// Its port.
        port: u16,
    },
    /// Something is given for a method that is not named.
    #[error(
        "the file has {0}, and `auth` does not name `{1}`: add it, for example auth = [\"{1}\"], or leave {0} out"
    )]
    UnusedAuth(&'static str, &'static str),
    /// Nobody whose tokens count.
    #[error(
        "`auth` names `jwt`, and no key is given: add [[jwt]] to the file (see docs/security.md)"
    )]
    NoJwtKey,
    /// Authentication cannot be set up like that.
    #[error("{0}")]
    Auth(String),
    /// Two listeners cannot have the same address.
    #[error("{0} and {1} both name {2}: give each a port of its own")]
    SameAddress(&'static str, &'static str, ListenAddress),
    /// A listener for TLS, and nothing to show to clients.
    #[error(
        "{0} listens with TLS and needs a certificate: give --tls-certificate FILE and --tls-key FILE (`ebbtide cert dev` makes \
         both for this machine)"
    )]
    NoCertificate(&'static str),
    /// Half of what TLS needs.
    #[error("--tls-certificate and --tls-key belong together: {0} is missing")]
    HalfCertificate(&'static str),
    /// Clients are to show certificates to nobody.
    #[error("--tls-client-ca is about listeners with TLS: give --mqtts or --https as well")]
    UnusedClientAuthorities,
    /// Certificates of clients that nobody has signed.
    #[error(
        "{0} is about certificates of clients: name the authorities that sign them with --tls-client-ca FILE"
    )]
    NoClientAuthorities(&'static str),
    /// Browsers show their certificates to every page.
    #[error(
        "`auth` names `certificate`, and --allow-origin `*` would let any web page act as whoever has one in the browser: name the origins \
         of your pages"
    )]
    CertificatesForAnyOrigin,
    /// A header from nobody.
    #[error(
        "--proxy-protocol is about connections of --trusted-proxies, and none is given: name the address of your proxy, for \
         example --trusted-proxies 127.0.0.1"
    )]
    NoProxies,
    /// A folder and no folder.
    #[error(
        "{0} at once: give only one, the folder to keep the data or `ephemeral` to keep it in memory only"
    )]
    TwoStorages(&'static str),
    /// It would not fit into a packet.
    #[error("--server-reference has {0} bytes: give at most 65535")]
    ServerReference(usize),
    /// The stack would not hold them.
    #[error("topic_levels_max is {0}: give at most {max}", max = Limits::TOPIC_LEVELS_CEILING)]
    TopicLevels(usize),
    /// No presence can be kept there.
    #[error(
        "the presence topic `{template}` cannot be used: {why}; give for example `presence/{{client}}`"
    )]
    PresenceTopic {
        /// As typed.
        template: String,
        /// What is wrong with it.
        why: PresenceTopicError,
    },
    /// The log filter makes no sense.
    #[error(
        "the log filter `{filter}` cannot be used: {why}; give a level (off, error, warn, info, debug, trace) or a list \
         such as `info,ebbtide=debug`"
    )]
    LogFilter {
        /// As typed.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
}
