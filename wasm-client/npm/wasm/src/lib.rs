//! The wasm half of the npm package: the client machine of `ebbtide-protocol` behind plain functions.
//!
//! One instance of the module is one connection, and ends with it. The socket, the clock, the timers and the store are
//! TypeScript's (`npm/src/wasm/`): here is nothing but numbers, and values in memory ([`values`]), so that no glue code
//! has to be downloaded. Calls never nest: what the machine tells is told by the `poll_*` functions alone.

#![cfg_attr(all(target_family = "wasm", not(test)), no_std)]

extern crate alloc;

#[cfg(target_family = "wasm")]
mod calls;
#[cfg(target_family = "wasm")]
mod faults;
#[cfg(target_family = "wasm")]
mod hooks;
#[cfg(target_family = "wasm")]
mod inspect;
#[cfg(target_family = "wasm")]
mod properties;
#[cfg(all(target_family = "wasm", not(test)))]
mod runtime;
#[cfg(target_family = "wasm")]
mod settings;
pub mod values;
