//! The limits of the core as options: each defined once, with its flag, its variable, its key below `[limits]` in the file
//! and its help. What is not given has the core's default; a test holds the help texts against it.

use std::{
    fmt,
    num::{NonZeroU16, NonZeroU32, NonZeroUsize},
};

use clap::{Args, ValueEnum};
use ebbtide_broker::Limits;
use serde::Deserialize;

use super::reload::{AT_ONCE, CONNECTIONS};

/// The heading in the help, by which the other parts of `config` know a limit.
pub(super) const HEADING: &str = "Limits";
/// The table in the file.
pub(super) const TABLE: &str = "limits";

/// See [`ebbtide_broker::QueueOverflow`].
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum QueueOverflow {
    /// What has waited longest and has not been sent.
    DropOldest,
    /// The message that has just come.
    DropNewest,
}

impl From<QueueOverflow> for ebbtide_broker::QueueOverflow {
    fn from(policy: QueueOverflow) -> Self {
        match policy {
            QueueOverflow::DropOldest => Self::DropOldest,
            QueueOverflow::DropNewest => Self::DropNewest,
        }
    }
}

/// As it is written in a file.
trait AsToml {
    fn as_toml(&self) -> String;
}

macro_rules! numbers {
    ($($kind:ty)*) => {$(
        impl AsToml for $kind {
            fn as_toml(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

numbers! { u16 u32 u64 usize }

impl AsToml for ebbtide_broker::QueueOverflow {
    fn as_toml(&self) -> String {
        let name = match self {
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
        };
        format!("\"{name}\"")
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $kind:ty, $unit:literal, $variable:literal, $reload:ident;)*) => {
        /// What was typed.
        #[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
        #[serde(default, deny_unknown_fields)]
        #[command(next_help_heading = HEADING)]
        pub struct LimitOptions {
            $(
                $(#[$doc])*
                #[arg(long, global = true, value_name = $unit, env = $variable, add = $reload)]
                pub $name: Option<$kind>,
            )*
        }

        impl LimitOptions {
            /// These, and where one is not given, that of lower rank.
            pub fn or(self, lower: Self) -> Self {
                Self { $($name: self.$name.or(lower.$name),)* }
            }

            /// Filled up with the core's defaults.
            pub fn resolve(self) -> Limits {
                let mut limits = Limits::default();
                $(
                    if let Some(value) = self.$name {
                        limits.$name = value.into();
                    }
                )*
                limits
            }
        }

        /// As the table of a file that says the same.
        pub(super) fn write(limits: &Limits, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            writeln!(formatter, "\n[{TABLE}]")?;
            $(
                writeln!(formatter, "{} = {}", stringify!($name), limits.$name.as_toml())?;
            )*
            Ok(())
        }
    };
}

limits! {
    /// The most connections at a time, over all listeners. Default: `100000`.
    connections_max: NonZeroUsize, "COUNT", "EBBTIDE_CONNECTIONS_MAX", AT_ONCE;

    /// The most connections at a time from one address (of IPv6: one /64 network); 0: no limit. What trusted proxies name counts,
    /// and not the proxies themselves. Default: `10000`.
    connections_per_address_max: usize, "COUNT", "EBBTIDE_CONNECTIONS_PER_ADDRESS_MAX", AT_ONCE;

    /// The most connections that one address may open per second, ten seconds' worth at once; 0: no limit. Default: `1000`.
    connect_rate_per_address_max: u32, "PER_SECOND", "EBBTIDE_CONNECT_RATE_PER_ADDRESS_MAX", AT_ONCE;

    /// The most connections of one user at a time; of all anonymous clients together. Default: `100000`.
    connections_per_user_max: usize, "COUNT", "EBBTIDE_CONNECTIONS_PER_USER_MAX", AT_ONCE;

    /// The largest packet that is taken, announced to clients as Maximum Packet Size. Default: `16777216`.
    maximum_packet_size: NonZeroU32, "BYTES", "EBBTIDE_MAXIMUM_PACKET_SIZE", CONNECTIONS;

    /// The largest packet of a client that has not been let in: its CONNECT. Default: `1048576`.
    connect_packet_size_max: NonZeroU32, "BYTES", "EBBTIDE_CONNECT_PACKET_SIZE_MAX", CONNECTIONS;

    /// How many QoS 1 and 2 publishes a client may have unacknowledged, announced as Receive Maximum. Default: `1024`.
    receive_maximum: NonZeroU16, "COUNT", "EBBTIDE_RECEIVE_MAXIMUM", CONNECTIONS;

    /// The highest topic alias that a client may use, announced as Topic Alias Maximum; 0: none. Default: `64`.
    topic_alias_maximum: u16, "COUNT", "EBBTIDE_TOPIC_ALIAS_MAXIMUM", CONNECTIONS;

    /// The most publishes that are read from one client per second, one second's worth at once; then it is read more slowly; 0: no
    /// limit. Default: `0`.
    publish_rate_max: u32, "PER_SECOND", "EBBTIDE_PUBLISH_RATE_MAX", AT_ONCE;

    /// The longest topic name or filter. Default: `65535`.
    topic_bytes_max: NonZeroUsize, "BYTES", "EBBTIDE_TOPIC_BYTES_MAX", AT_ONCE;

    /// The most levels in a topic name or filter; at most 2048. Default: `1024`.
    topic_levels_max: NonZeroUsize, "COUNT", "EBBTIDE_TOPIC_LEVELS_MAX", AT_ONCE;

    /// The most subscriptions of one session. Default: `20000`.
    subscriptions_per_session_max: usize, "COUNT", "EBBTIDE_SUBSCRIPTIONS_PER_SESSION_MAX", AT_ONCE;

    /// The most memory that the subscriptions of one session take; each counts for its filter and 512 bytes a level.
    /// Default: `134217728`.
    subscription_bytes_per_session_max: usize, "BYTES", "EBBTIDE_SUBSCRIPTION_BYTES_PER_SESSION_MAX", AT_ONCE;

    /// The longest Session Expiry Interval that is granted; 4294967295: no end. Default: `4294967295`.
    session_expiry_interval_max: u32, "SECONDS", "EBBTIDE_SESSION_EXPIRY_INTERVAL_MAX", CONNECTIONS;

    /// The most messages that wait for one session. A queue that is too long with a lower limit is cut when the next
    /// message comes: a few at once, the rest by and by. Default: `1000000`.
    queue_messages_per_session_max: usize, "COUNT", "EBBTIDE_QUEUE_MESSAGES_PER_SESSION_MAX", AT_ONCE;

    /// The most bytes of topics, payloads and properties that wait for one session; with a lower limit as above.
    /// Default: `4294967296`.
    queue_bytes_per_session_max: u64, "BYTES", "EBBTIDE_QUEUE_BYTES_PER_SESSION_MAX", AT_ONCE;

    /// What a session loses when more than that would wait for it: what has waited longest, or what has just come.
    /// Default: `drop_oldest`.
    queue_overflow: QueueOverflow, "POLICY", "EBBTIDE_QUEUE_OVERFLOW", AT_ONCE;

    /// The most messages that wait in all; one that waits for several sessions counts once. What would pass this limit,
    /// or one of the next three, is refused with 0x97. Default: `10000000`.
    queue_messages_max: usize, "COUNT", "EBBTIDE_QUEUE_MESSAGES_MAX", AT_ONCE;

    /// The most bytes of topics, payloads and properties that wait in all. Default: `68719476736`.
    queue_bytes_max: u64, "BYTES", "EBBTIDE_QUEUE_BYTES_MAX", AT_ONCE;

    /// The most retained messages. Default: `10000000`.
    retained_messages_max: usize, "COUNT", "EBBTIDE_RETAINED_MESSAGES_MAX", AT_ONCE;

    /// The most bytes of retained messages, which are in memory: of topics, payloads and properties, and 96 for each level of a topic. Default: `4294967296`.
    retained_bytes_max: u64, "BYTES", "EBBTIDE_RETAINED_BYTES_MAX", AT_ONCE;

    /// The most sessions of one user, connected or away; of all anonymous clients together. Default: `1000000`.
    sessions_per_user_max: usize, "COUNT", "EBBTIDE_SESSIONS_PER_USER_MAX", AT_ONCE;

    /// The most bytes that wait in memory for one connected client; beyond, a persistent session's messages are read
    /// from disk again, and a transient one's are dropped (QoS 0) or end its connection. As many once more of its shared
    /// subscriptions, and as many that wait in these, however many they are. Default: `4194304`.
    outgoing_bytes_max: usize, "BYTES", "EBBTIDE_OUTGOING_BYTES_MAX", CONNECTIONS;

    /// With more bytes of messages in memory for one connected client, or for one shared subscription, whoever publishes to it is not
    /// read from until a quarter of so many are left. For a shared subscription no more than a quarter of what may wait there. Default: `262144`.
    back_pressure_bytes: usize, "BYTES", "EBBTIDE_BACK_PRESSURE_BYTES", CONNECTIONS;

    /// The longest time that a publisher waits for a client that reads too slowly; then it goes on, and the limits of queues apply. It
    /// waits for that client again only once everything has left; 0: never. Default: `500`.
    back_pressure_ms_max: u64, "MILLISECONDS", "EBBTIDE_BACK_PRESSURE_MS_MAX", CONNECTIONS;

    /// A client is not read from while this many answers to it wait. Default: `65536`.
    replies_max: usize, "COUNT", "EBBTIDE_REPLIES_MAX", CONNECTIONS;

    /// A client is not read from while this many bytes of what it published wait for the disk. Default: `4194304`.
    uncommitted_bytes_max: usize, "BYTES", "EBBTIDE_UNCOMMITTED_BYTES_MAX", CONNECTIONS;

    /// A client of a relaxed listener is not read from while this many bytes wait for the disk, of all clients together.
    /// Default: `67108864`.
    journal_bytes_max: usize, "BYTES", "EBBTIDE_JOURNAL_BYTES_MAX", CONNECTIONS;

    /// The most memory that the broker takes (on Linux only: elsewhere it cannot tell). Above it, new clients, new subscriptions and
    /// what would have to be kept are refused until memory is a twentieth below; 0: three quarters of what the machine or the container
    /// has. Default: `0`.
    memory_bytes_max: u64, "BYTES", "EBBTIDE_MEMORY_BYTES_MAX", AT_ONCE;

    /// How long a new connection may take to send its CONNECT. Default: `10000`.
    connect_deadline_ms: u64, "MILLISECONDS", "EBBTIDE_CONNECT_DEADLINE_MS", CONNECTIONS;

    /// The keep alive that is imposed on clients which ask for none or a longer one; 0: none is imposed. A 3.1.1 client cannot be told:
    /// it is disconnected if it is silent for longer, though it has asked for that. Default: `0`.
    keep_alive_s_max: u16, "SECONDS", "EBBTIDE_KEEP_ALIVE_S_MAX", CONNECTIONS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_the_core_is_an_option() {
        // A new field in the core would not compile here without its line above.
        let Limits {
            connections_max: _,
            connections_per_address_max: _,
            connect_rate_per_address_max: _,
            connections_per_user_max: _,
            maximum_packet_size: _,
            connect_packet_size_max: _,
            receive_maximum: _,
            topic_alias_maximum: _,
            publish_rate_max: _,
            topic_bytes_max: _,
            topic_levels_max: _,
            subscriptions_per_session_max: _,
            subscription_bytes_per_session_max: _,
            session_expiry_interval_max: _,
            queue_messages_per_session_max: _,
            queue_bytes_per_session_max: _,
            queue_overflow: _,
            queue_messages_max: _,
            queue_bytes_max: _,
            retained_messages_max: _,
            retained_bytes_max: _,
            sessions_per_user_max: _,
            outgoing_bytes_max: _,
            back_pressure_bytes: _,
            back_pressure_ms_max: _,
            replies_max: _,
            uncommitted_bytes_max: _,
            journal_bytes_max: _,
            memory_bytes_max: _,
            connect_deadline_ms: _,
            keep_alive_s_max: _,
        } = LimitOptions::default().resolve();
    }

    struct Written;

    impl fmt::Display for Written {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(&Limits::default(), formatter)
        }
    }

    /// How a default may be written for people.
    fn forms(key: &str, value: &str) -> Vec<String> {
        let Ok(number) = value.parse::<u64>() else {
            return vec![value.replace('"', "`")];
        };
        let mut digits = number.to_string();
        for at in (1..digits.len())
            .rev()
            .filter(|at| (digits.len() - at).is_multiple_of(3))
            .collect::<Vec<_>>()
        {
            digits.insert(at, ',');
        }
        let unit = match key {
            _ if key.contains("_rate_") => " /s",
            _ if key.contains("_ms") => " ms",
            _ => "",
        };
        let mut forms = vec![format!("{digits}{unit}")];
        for (unit, size) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)] {
            forms.extend(
                (number > 0 && number % size == 0).then(|| format!("{} {unit}", number / size)),
            );
        }
        let is_seconds = key.contains("_ms") && number.is_multiple_of(1000);
        forms.extend(is_seconds.then(|| format!("{} s", number / 1000)));
        forms.extend((number == 0).then(|| "none".to_owned()));
        forms.extend((number == u64::from(u32::MAX)).then(|| "no end".to_owned()));
        forms.extend((key == "memory_bytes_max").then(|| "¾ of what there is".to_owned()));
        forms
    }

    #[test]
    fn the_page_about_limits_has_all_of_them_with_their_defaults() {
        let page = include_str!("../../../docs/limits.md");
        // What is alike shares a row, and stands in the same order in both cells; within a number there is no blank.
        let default_of = |key: &str| {
            let name = format!("`{key}`");
            let mut rows = page.lines().filter(|line| line.starts_with("| `"));
            let found = rows.find_map(|row| {
                let mut cells = row.split('|').skip(1).map(|cell| cell.trim().split(", "));
                let at = cells.next()?.position(|known| known == name)?;
                Some(cells.next()?.nth(at).unwrap_or_default())
            });
            found.unwrap_or_else(|| panic!("docs/limits.md has no row for {key}"))
        };
        for line in Written.to_string().lines() {
            let Some((key, value)) = line.split_once(" = ") else {
                continue;
            };
            let (default, forms) = (default_of(key), forms(key, value));
            assert!(
                forms.iter().any(|form| form == default),
                "docs/limits.md: the default of {key} is {forms:?}, not {default}"
            );
        }
        for limit in ebbtide_broker::Limit::ALL {
            default_of(limit.name());
        }
    }

    #[test]
    fn what_is_given_beats_what_ranks_lower_and_the_default() {
        let given = LimitOptions {
            topic_alias_maximum: Some(0),
            ..LimitOptions::default()
        };
        let lower = LimitOptions {
            topic_alias_maximum: Some(7),
            connect_deadline_ms: Some(1),
            ..LimitOptions::default()
        };
        let limits = given.or(lower).resolve();
        assert_eq!(
            (limits.topic_alias_maximum, limits.connect_deadline_ms),
            (0, 1)
        );
        assert_eq!(limits.replies_max, Limits::default().replies_max);
    }
}
