//! The whole of Ebbtide, seen from outside: the real program, real clients, a real browser, real crashes.
//!
//! Run by `cargo xtask test`, which gets the programs that these tests drive. Each test has a broker of its own.

mod assets;
mod auth;
mod backup;
mod bad_input;
mod browsers;
mod clients;
mod cold_start;
mod command_line;
mod compaction;
mod connection_limits;
mod dashboard_access;
mod dashboard_pages;
mod dashboard_tasks;
mod data_commands;
mod description;
mod events_api;
mod exactly_once;
mod fleet;
mod from_mosquitto;
#[cfg(target_os = "linux")]
mod full_disk;
mod idle_memory;
mod ledger;
mod limits;
mod load_compare;
mod load_faults;
mod load_generator;
mod load_refusals;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod mosquitto_bridge;
mod package;
mod presence;
mod proxies;
mod pub_sub;
mod reload;
mod retained_api;
mod secured_app;
mod semantics;
mod sessions;
mod sessions_api;
mod slow_uploads;
mod stats_api;
mod system_topics;
mod tls;
mod traffic;
mod why_api;
