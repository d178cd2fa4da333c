//! The pages, a folder each. What they show comes from the shell, from what the app watches, or from the API.

pub mod access;
pub mod config;
pub mod overview;
pub mod presence;
pub mod publish;
pub mod sessions;
pub mod topics;
