//! The broker program `ebbtide`: it wires the parts and decides nothing else.
//!
//! Reading order: `cli` (what may be typed) → `config` (what it means) → `serve` (what runs). Exit codes are in
//! `exit`, and standard output carries only what `serve` announces: logs go to standard error.

mod announce;
mod auth;
mod bench;
mod cli;
mod clock;
mod config;
mod connection;
mod drops;
mod events;
mod exit;
mod http;
mod logging;
mod memory;
mod proxy;
mod serve;
mod stats;
mod storage;
mod sys;
mod tcp;
mod tls;
mod wake;
mod websocket;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
