//! Histories that chance seldom finds, each as a script. They run on any broker that can be killed; only the one that turns
//! the clock is for ours.

mod clock;
mod messages;
mod peer;
mod sessions;
mod wills;

use anyhow::Result;

use super::server::Server;

pub use clock::clock_jumps;

/// A name, and the script; its second argument stands before all topics and client ids.
pub type Scenario = (&'static str, fn(&mut Server, &str) -> Result<()>);

/// All of them.
pub const ALL: [Scenario; 5] = [
    (
        "killed right after PUBREC with everyone online",
        messages::pubrec_with_everyone_online,
    ),
    (
        "numbers of messages that were done before they were written",
        messages::numbers_after_unwritten_rows,
    ),
    (
        "clean start over a stored session",
        sessions::clean_start_over_a_stored_session,
    ),
    (
        "wills of transient clients",
        wills::wills_of_transient_clients,
    ),
    ("wills with delay", wills::wills_with_delay),
];
