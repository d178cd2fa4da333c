//! Clients at full speed, for measurements: many packets per write and per read, on one thread each.
//!
//! They check what comes only as far as a measurement needs it to be true: counts, and reason codes.

mod generator;
mod link;
mod median;
mod process;
mod publish;
mod receive;

pub use generator::{Figures, Found, generate};
pub use link::{Link, clean, kept};
pub use median::median;
pub use process::{Process, disk, file_bytes};
pub use publish::{Published, publish};
pub use receive::{Received, receive};
