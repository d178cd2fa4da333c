//! Every limit of the core, by name, with its default.

const GIB: u64 = 1 << 30;

/// What a session loses when its queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueOverflow {
    /// What has waited longest and has not been sent.
    #[default]
    DropOldest,
    /// The message that has just come.
    DropNewest,
}

/// What the core allows. All sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most byte streams at a time, over all listeners.
    pub connections_max: usize,
    /// The most byte streams at a time from one address; 0: no limit.
    pub connections_per_address_max: usize,
    /// The most byte streams that one address opens, a second; 0: no limit. So many as come in
    /// [`Limits::CONNECT_BURST_S`] may come at once.
    pub connect_rate_per_address_max: u32,
    /// The most clients of one user at a time; of all anonymous clients together.
    pub connections_per_user_max: usize,
    /// The largest packet that is read (announced as Maximum Packet Size).
    pub maximum_packet_size: u32,
    /// The largest packet from a client that has not been let in: CONNECT with all its fields, and AUTH.
    pub connect_packet_size_max: u32,
    /// How many QoS 1 and 2 publishes a client may have unacknowledged (announced as Receive Maximum).
    pub receive_maximum: u16,
    /// The highest topic alias that a client may use (announced as Topic Alias Maximum).
    pub topic_alias_maximum: u16,
    /// The most publishes that are taken from one connection, a second; 0: no limit. It is read more slowly then.
    pub publish_rate_max: u32,
    /// The longest topic name or filter.
    pub topic_bytes_max: usize,
    /// The most levels in a topic name or filter, no more than [`Limits::TOPIC_LEVELS_CEILING`].
    pub topic_levels_max: usize,
    /// The most subscriptions of one session.
    pub subscriptions_per_session_max: usize,
    /// The most memory that the subscriptions of one session take, roughly.
    pub subscription_bytes_per_session_max: usize,
    /// The longest Session Expiry Interval that is granted, seconds; `u32::MAX`: no end.
    pub session_expiry_interval_max: u32,
    /// The most messages that wait for one session.
    pub queue_messages_per_session_max: usize,
    /// The most bytes of topics, payloads and properties that wait for one session.
    pub queue_bytes_per_session_max: u64,
    /// What a session loses when more than that would wait for it.
    pub queue_overflow: QueueOverflow,
    /// The most messages that wait in all; one that waits for several sessions counts once.
    pub queue_messages_max: usize,
    /// The most bytes of topics, payloads and properties that wait in all.
    pub queue_bytes_max: u64,
    /// The most retained messages.
    pub retained_messages_max: usize,
    /// The most bytes of retained messages, which are in memory: of topics, payloads and properties, and 96 for each level of a topic.
    pub retained_bytes_max: u64,
    /// The most sessions of one user, connected or away; of all anonymous clients together.
    pub sessions_per_user_max: usize,
    /// The most bytes of messages that wait in memory for one connected session, and of replies not yet written. As
    /// many once more of the messages that it holds of groups, and as many that wait for it in all its groups.
    pub outgoing_bytes_max: usize,
    /// With more bytes of messages in memory for one connected session, or one group, whoever publishes to it is not read from
    /// until there is room.
    pub back_pressure_bytes: usize,
    /// For how long at the most, milliseconds; 0: publishers are never kept waiting.
    pub back_pressure_ms_max: u64,
    /// A connection is not read from while this many replies to it wait.
    pub replies_max: usize,
    /// A connection is not read from while this many bytes of its publishes wait for the disk.
    pub uncommitted_bytes_max: usize,
    /// A connection with relaxed durability is not read from while this many bytes wait for the disk, of all together.
    pub journal_bytes_max: usize,
    /// The most memory of the whole program, bytes, as the outside measures it; 0: it does not. Beyond it new clients, new subscriptions
    /// and what would have to be held are refused.
    pub memory_bytes_max: u64,
    /// How long a new connection may take to its CONNECT, milliseconds.
    pub connect_deadline_ms: u64,
    /// The keep alive, seconds, imposed on clients which ask for none or a longer one; 0: none is imposed.
    pub keep_alive_s_max: u16,
}

impl Limits {
    /// As high as [`Limits::topic_levels_max`] may be set: topics are walked level by level on the stack, and this many have
    /// room on one of 2 MiB.
    pub const TOPIC_LEVELS_CEILING: usize = 2_048;
    /// An address may open as many byte streams at once as its rate allows in this time, seconds.
    pub const CONNECT_BURST_S: u32 = 10;
    /// The most that may have come of a packet that is not whole while memory is short, bytes: whoever sends more is disconnected.
    pub const INCOMPLETE_BYTES_MAX: usize = 64 * 1024;
    /// The most bytes of messages that wait in memory for one connected session, or one group, while memory is short. With a quarter of
    /// them whoever publishes to it is not read from: small messages of one turn of a publisher fit beside that.
    pub const SCARCE_BYTES_MAX: usize = 256 * 1024;
    /// A client may publish as much at once as its rate allows in this time, seconds.
    pub const PUBLISH_BURST_S: u32 = 1;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_address_max: 10_000,
            connect_rate_per_address_max: 1_000,
            connections_per_user_max: 100_000,
            maximum_packet_size: 16 * 1024 * 1024,
            connect_packet_size_max: 1024 * 1024,
            receive_maximum: 1024,
            topic_alias_maximum: 64,
            publish_rate_max: 0,
            topic_bytes_max: 65_535,
            topic_levels_max: 1_024,
            subscriptions_per_session_max: 20_000,
            subscription_bytes_per_session_max: 128 * 1024 * 1024,
            session_expiry_interval_max: u32::MAX,
            queue_messages_per_session_max: 1_000_000,
            queue_bytes_per_session_max: 4 * GIB,
            queue_overflow: QueueOverflow::DropOldest,
            queue_messages_max: 10_000_000,
            queue_bytes_max: 64 * GIB,
            retained_messages_max: 10_000_000,
            retained_bytes_max: 4 * GIB,
            sessions_per_user_max: 1_000_000,
            outgoing_bytes_max: 4 * 1024 * 1024,
            back_pressure_bytes: 256 * 1024,
            back_pressure_ms_max: 500,
            replies_max: 65_536,
            uncommitted_bytes_max: 4 * 1024 * 1024,
            journal_bytes_max: 64 * 1024 * 1024,
            memory_bytes_max: 0,
            connect_deadline_ms: 10_000,
            keep_alive_s_max: 0,
        }
    }
}
