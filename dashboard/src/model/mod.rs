//! What the page knows and how it changes: plain data and pure functions.
//!
//! Nothing here touches the browser, the clock or the network; times come in as milliseconds since 1970. Everything
//! compiles and is tested natively. Payloads are untrusted: they are only ever turned into text.

pub mod access;
pub mod account;
pub mod board;
pub mod bytes;
pub mod change;
pub mod clock;
pub mod connection;
pub mod deed;
pub mod deletion;
pub mod diff;
pub mod edit;
pub mod export;
pub mod filter;
pub mod format;
pub mod hex;
pub mod json;
pub mod last_known;
pub mod live;
pub mod location;
pub mod message;
pub mod name;
pub mod natural;
pub mod page;
pub mod past;
pub mod payload;
pub mod plot;
pub mod presence;
pub mod publish;
pub mod recent;
pub mod rows;
pub mod select;
pub mod series;
pub mod session;
pub mod sse;
pub mod topics;
pub mod undo;
pub mod value;
