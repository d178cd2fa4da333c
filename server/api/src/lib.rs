//! The types of the HTTP API: what is asked and what is answered, shared by server, dashboard and command line.
//!
//! Every body is a JSON object. Errors are [`ProblemDetails`] with the content type `application/problem+json`. Times are
//! RFC 3339, in UTC. A member that is absent in an answer has nothing to say; a reader must not mind members that it does
//! not know.

mod access;
mod config;
mod event;
mod maintenance;
mod object;
mod problem;
mod publish;
mod retained;
mod session;
mod stats;
mod why;

pub use access::*;
pub use config::*;
pub use event::*;
pub use maintenance::*;
pub use object::Object;
pub use problem::*;
pub use publish::*;
pub use retained::*;
pub use session::*;
pub use stats::*;
pub use why::*;
