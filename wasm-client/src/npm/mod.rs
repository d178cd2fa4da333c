//! The inside of the npm package: the client for callers that are JavaScript.
//!
//! Thin on purpose: plain values go across, one object is called back, and the TypeScript in `npm/` makes promises,
//! iterators, storage and types of them. `npm/src/ebbtide_wasm.d.ts` says what each call means. Errors are thrown as
//! `[code, message, reason code]`; the codes are listed in `npm/src/error.ts`.

mod connection;
mod errors;
mod hooks;
mod inspect;
mod object;
mod properties;
mod settings;
