//! The ledger: what a broker acknowledged, against what is there after it was killed without warning, again and again.
//!
//! Real clients (`actors`) write into a `book` what they sent and what was acknowledged; `campaign` kills the real program by
//! SIGKILL at random moments; `check` compares, once all is over. It runs against any broker that a command starts
//! (`server`). The histories that chance seldom finds are in `scenarios`. Every wait has a deadline.

mod actors;
mod book;
mod campaign;
mod check;
mod incoming;
mod link;
mod outgoing;
mod random;
mod report;
pub mod scenarios;
mod server;
mod world;

pub use campaign::run;
pub use check::{Counts, Fault, KINDS, Kind};
pub use report::{HEADER, Report};
pub use server::Server;
