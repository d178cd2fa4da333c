//! What the end-to-end tests share: the real broker program, a network that can be cut, and scripts that drive real clients.
//!
//! Everything listens on 127.0.0.1 with a port of its own, and ends with the value that owns it. Waiting always has a deadline.

pub mod bench;
pub mod broker;
pub mod cases;
pub mod growth;
pub mod http;
pub mod ledger;
pub mod load;
pub mod memory;
pub mod peer;
pub mod peers;
pub mod program;
pub mod proxy;
pub mod scale;
pub mod script;
pub mod small_disk;
pub mod tls;
pub mod tools;
pub mod wire;
