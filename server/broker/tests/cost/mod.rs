//! Work for the core whose cost is counted: the same packets in the same order each time, without a network and without a clock.
//!
//! `server/broker/examples/cost.rs` plays it where instructions are counted, `tests/allocations.rs` counts allocations. What a
//! work costs for each unit is the difference between playing it with few and with many, so what it sets up does not count.

mod frames;
mod packets;
mod rig;
mod works;

pub use works::ALL;
