//! What the page knows and how it changes: plain data and pure functions.
//!
//! Nothing here touches the browser, the clock or the network; times come in as milliseconds since 1970. Everything
//! compiles and is tested natively. Payloads are untrusted: they are only ever turned into text.

pub mod board;
pub mod clock;
pub mod connection;
pub mod filter;
pub mod hex;
pub mod json;
pub mod location;
pub mod page;
pub mod payload;
pub mod presence;
pub mod rows;
pub mod select;
