//! How rows are written: a version byte, then postcard.
//!
//! The serde types here are the file format and change only together with their version byte; the types of the crate
//! may change freely. Decoding trusts nothing: what a row says is validated like input from a client.

mod access;
mod flow;
mod message;
mod session;
mod set;

pub(super) use access::{access_key, decode_access, encode_access};
pub(super) use flow::{Block, decode_single_flow, flow_ids, flow_key};
pub(super) use message::{
    Blob, QueuedHead, decode_queued_head, decode_queued_unless, decode_retained, decode_revision,
    encode_queued, encode_retained,
};
pub(super) use session::{
    decode_dropped, decode_group, decode_marks, decode_session, decode_subscription, decode_will,
    encode_dropped, encode_group, encode_marks, encode_session, encode_subscription, encode_will,
};
pub(super) use set::{SetBytes, decode_set, encode_set};

use ebbtide_protocol::QoS;
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

/// Why a row cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowError {
    #[error("the row is empty")]
    Empty,
    #[error("the row has version {0}, which this program does not know")]
    Version(u8),
    #[error("the row does not decode: {0}")]
    Encoding(#[from] postcard::Error),
    #[error("{0} bytes follow the row")]
    Trailing(usize),
    #[error("{0}")]
    Invalid(&'static str),
}

impl From<RowError> for redb::Error {
    fn from(error: RowError) -> Self {
        Self::Corrupted(error.to_string())
    }
}

/// A row of one part.
pub(super) fn encode<T: Serialize + ?Sized>(version: u8, row: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    append(row, &mut bytes);
    bytes
}

/// Appends a part to a row.
fn append<T: Serialize + ?Sized>(part: &T, row: &mut Vec<u8>) {
    postcard::serialize_with_flavor(part, Appended(row))
        .expect("these types have no case that postcard refuses");
}

/// Where postcard writes to. Its own for any `Extend` takes a slice byte by byte.
struct Appended<'a>(&'a mut Vec<u8>);

impl Flavor for Appended<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The row behind its version byte.
fn open(version: u8, row: &[u8]) -> Result<&[u8], RowError> {
    match row.split_first() {
        None => Err(RowError::Empty),
        Some((&found, rest)) if found == version => Ok(rest),
        Some((&found, _)) => Err(RowError::Version(found)),
    }
}

/// Reads a whole row of one part.
pub(super) fn decode<'a, T: Deserialize<'a>>(version: u8, row: &'a [u8]) -> Result<T, RowError> {
    last(open(version, row)?)
}

/// Reads the last part of a row.
fn last<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RowError> {
    match postcard::take_from_bytes(bytes)? {
        (part, []) => Ok(part),
        (_, rest) => Err(RowError::Trailing(rest.len())),
    }
}

fn qos(bits: u8) -> Result<QoS, RowError> {
    QoS::from_bits(bits).ok_or(RowError::Invalid("QoS 3 does not exist"))
}
