//! Every limit of the core, by name, with its default.

/// What the core allows. All sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest packet that is read (announced as Maximum Packet Size).
    pub maximum_packet_size: u32,
    /// How many QoS 1 and 2 publishes a client may have unacknowledged (announced as Receive Maximum).
    pub receive_maximum: u16,
    /// The highest topic alias that a client may use (announced as Topic Alias Maximum).
    pub topic_alias_maximum: u16,
    /// The longest topic name or filter.
    pub topic_bytes_max: usize,
    /// The most levels in a topic name or filter.
    pub topic_levels_max: usize,
    /// The most subscriptions of one session.
    pub subscriptions_per_session_max: usize,
    /// The longest Session Expiry Interval that is granted, seconds; `u32::MAX`: no end.
    pub session_expiry_interval_max: u32,
    /// The most messages that wait for one session.
    pub queue_messages_per_session_max: usize,
    /// The most bytes of messages that wait in memory for one connected session, and of replies not yet written.
    pub outgoing_bytes_max: usize,
    /// A connection is not read from while this many replies to it wait.
    pub replies_max: usize,
    /// A connection is not read from while this many bytes of its publishes wait for the disk.
    pub uncommitted_bytes_max: usize,
    /// How long a new connection may take to its CONNECT, milliseconds.
    pub connect_deadline_ms: u64,
    /// The keep alive, seconds, imposed on clients which ask for none or a longer one; 0: none is imposed.
    pub keep_alive_s_max: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            maximum_packet_size: 16 * 1024 * 1024,
            receive_maximum: 1024,
            topic_alias_maximum: 64,
            topic_bytes_max: 65_535,
            topic_levels_max: 1_024,
            subscriptions_per_session_max: 20_000,
            session_expiry_interval_max: u32::MAX,
            queue_messages_per_session_max: 1_000_000,
            outgoing_bytes_max: 4 * 1024 * 1024,
            replies_max: 65_536,
            uncommitted_bytes_max: 4 * 1024 * 1024,
            connect_deadline_ms: 10_000,
            keep_alive_s_max: 0,
        }
    }
}
