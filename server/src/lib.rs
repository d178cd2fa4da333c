//! The broker program `ebbtide`: it wires the parts and decides nothing else.
//!
//! Reading order: `cli` (what may be typed) → `config` (what it means) → `serve` (what runs). Exit codes are in
//! `exit`, and standard output carries only what `serve` announces: logs go to standard error. As a library it is for the program and
//! for the fuzz targets, and promises nothing to anybody else.

mod announce;
mod auth;
mod bench;
mod cli;
mod clock;
mod config;
mod driver;
mod drops;
mod events;
mod exit;
#[doc(hidden)]
pub mod fuzz;
mod http;
mod import;
mod logging;
mod looks;
mod memory;
mod proc;
mod progress;
mod proxy;
mod serve;
mod stats;
mod storage;
mod sys;
mod tcp;
mod tls;
mod turns;
mod wake;
mod websocket;

use std::process::ExitCode;

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
