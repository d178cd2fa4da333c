//! Which limits have kept something out, and how often. Each is known by the name of its option; those of queues are counted by
//! what they drop, in `stats`.

use std::sync::atomic::{AtomicU64, Ordering};

use ebbtide_protocol::ReasonCode;

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $name:literal;)*) => {
        /// A limit that is counted when it keeps something out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Limit {
            $($(#[$doc])* $limit,)*
        }

        impl Limit {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$limit,)*];

            /// As its option is named.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$limit => $name,)*
                }
            }
        }
    };
}

limits! {
    /// A byte stream too many, of all.
    ConnectionsMax = "connections_max";
    /// A byte stream too many from one address.
    ConnectionsPerAddressMax = "connections_per_address_max";
    /// One address opens byte streams too fast.
    ConnectRatePerAddressMax = "connect_rate_per_address_max";
    /// A client too many of one user.
    ConnectionsPerUserMax = "connections_per_user_max";
    /// A session too many of one user.
    SessionsPerUserMax = "sessions_per_user_max";
    /// No CONNECT in time.
    ConnectDeadline = "connect_deadline_ms";
    /// A packet too large from a client that is not in yet.
    ConnectPacketSizeMax = "connect_packet_size_max";
    /// A packet too large.
    MaximumPacketSize = "maximum_packet_size";
    /// A topic or filter too long.
    TopicBytesMax = "topic_bytes_max";
    /// A topic or filter too deep.
    TopicLevelsMax = "topic_levels_max";
    /// More topic aliases than announced.
    TopicAliasMaximum = "topic_alias_maximum";
    /// More publishes under way than announced.
    ReceiveMaximum = "receive_maximum";
    /// A client publishes too fast.
    PublishRateMax = "publish_rate_max";
    /// A subscription too many.
    SubscriptionsPerSessionMax = "subscriptions_per_session_max";
    /// Subscriptions too large.
    SubscriptionBytesPerSessionMax = "subscription_bytes_per_session_max";
    /// A message too many that would wait.
    QueueMessagesMax = "queue_messages_max";
    /// Too many bytes that would wait.
    QueueBytesMax = "queue_bytes_max";
    /// A retained message too many.
    RetainedMessagesMax = "retained_messages_max";
    /// Too many bytes of retained messages.
    RetainedBytesMax = "retained_bytes_max";
    /// Too much memory in use.
    MemoryBytesMax = "memory_bytes_max";
}

const LIMITS: usize = Limit::ALL.len();

/// How often each has been hit since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hits([u64; LIMITS]);

impl Default for Hits {
    fn default() -> Self {
        Self([0; LIMITS])
    }
}

impl Hits {
    /// Of one limit.
    #[must_use]
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Each limit by its name.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0;
        Limit::ALL
            .iter()
            .map(move |limit| (limit.name(), counts[*limit as usize]))
    }
}

/// See [`Hits`].
#[derive(Debug, Default)]
pub(crate) struct HitCounters([AtomicU64; LIMITS]);

impl HitCounters {
    pub fn hit(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn read(&self) -> Hits {
        let mut counts = [0; LIMITS];
        for (count, counter) in counts.iter_mut().zip(&self.0) {
            *count = counter.load(Ordering::Relaxed);
        }
        Hits(counts)
    }
}

/// The limit of the protocol that a client has passed whose packet was understood and ends its connection: alias 0 is none, whatever
/// the limit. That a packet is too large is counted where it comes in: the same reason tells a client that it has a limit itself.
pub(crate) fn passed_by(reason: ReasonCode) -> Option<Limit> {
    Some(match reason {
        ReasonCode::ReceiveMaximumExceeded => Limit::ReceiveMaximum,
        ReasonCode::TopicAliasInvalid => Limit::TopicAliasMaximum,
        _ => return None,
    })
}
