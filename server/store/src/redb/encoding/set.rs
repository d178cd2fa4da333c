//! Recipient sets: sessions in ascending order at a fixed width, so that one session is found without reading the rest,
//! each with a number into the list of distinct delivery options behind them.
//!
//! Version byte, count (u32), count × (incarnation u64, option u32), all big endian; then the options in postcard.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{RowError, append, last, open, qos};
use crate::{Incarnation, Recipient, RecipientSet};

const SET_VERSION: u8 = 1;
const COUNT_BYTES: usize = 4;
const RECORD_BYTES: usize = 12;

#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Options {
    qos: u8,
    retain: bool,
    subscription_identifiers: Vec<u32>,
}

/// Encodes a set. Equal sets have equal encodings.
pub(in crate::redb) fn encode_set(set: &[Recipient]) -> Vec<u8> {
    let mut options: Vec<Options> = Vec::new();
    let mut numbers: HashMap<Options, u32> = HashMap::new();
    let mut bytes = Vec::with_capacity(1 + COUNT_BYTES + set.len() * RECORD_BYTES + 16);
    bytes.push(SET_VERSION);
    bytes.extend(to_u32(set.len()).to_be_bytes());
    for recipient in set {
        let option = Options {
            qos: recipient.qos as u8,
            retain: recipient.retain,
            subscription_identifiers: recipient.subscription_identifiers.clone(),
        };
        let next = to_u32(options.len());
        let number = *numbers.entry(option).or_insert_with_key(|option| {
            options.push(option.clone());
            next
        });
        bytes.extend(recipient.session.0.to_be_bytes());
        bytes.extend(number.to_be_bytes());
    }
    append(&options, &mut bytes);
    bytes
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than four billion sessions")
}

/// A set whole, in its order.
pub(in crate::redb) fn decode_set(row: &[u8]) -> Result<RecipientSet, RowError> {
    let set = SetBytes::new(row)?;
    let options = set.options()?;
    let recipients: Result<Vec<Recipient>, RowError> = (0..set.count())
        .map(|at| set.recipient(at, &options))
        .collect();
    let recipients = recipients?;
    let ascending = recipients.is_sorted_by(|a, b| a.session < b.session);
    if recipients.is_empty() || !ascending {
        return Err(RowError::Invalid("the recipients are not in order"));
    }
    Ok(recipients.into())
}

/// A set as it lies in its row.
#[derive(Clone, Copy)]
pub(in crate::redb) struct SetBytes<'a> {
    records: &'a [u8],
    options: &'a [u8],
}

impl<'a> SetBytes<'a> {
    /// Looks at the frame only.
    pub(in crate::redb) fn new(row: &'a [u8]) -> Result<Self, RowError> {
        const SHORT: RowError = RowError::Invalid("the recipients are cut short");
        let (count, rest) = open(SET_VERSION, row)?
            .split_first_chunk::<COUNT_BYTES>()
            .ok_or(SHORT)?;
        let length = (u32::from_be_bytes(*count) as usize)
            .checked_mul(RECORD_BYTES)
            .ok_or(SHORT)?;
        let (records, options) = rest.split_at_checked(length).ok_or(SHORT)?;
        Ok(Self { records, options })
    }

    /// How this session gets the message, if it is in the set.
    pub(in crate::redb) fn find(
        &self,
        session: Incarnation,
    ) -> Result<Option<Recipient>, RowError> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.record(middle).0.cmp(&session.0) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    return self.recipient(middle, &self.options()?).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn count(&self) -> usize {
        self.records.len() / RECORD_BYTES
    }

    fn record(&self, at: usize) -> (u64, u32) {
        let record = &self.records[at * RECORD_BYTES..][..RECORD_BYTES];
        let (session, option) = record.split_at(8);
        (
            u64::from_be_bytes(session.try_into().expect("eight of twelve bytes")),
            u32::from_be_bytes(option.try_into().expect("four of twelve bytes")),
        )
    }

    fn options(&self) -> Result<Vec<Options>, RowError> {
        last(self.options)
    }

    fn recipient(&self, at: usize, options: &[Options]) -> Result<Recipient, RowError> {
        let (session, option) = self.record(at);
        let option = options
            .get(option as usize)
            .ok_or(RowError::Invalid("a recipient has no options"))?;
        Ok(Recipient {
            session: Incarnation(session),
            qos: qos(option.qos)?,
            retain: option.retain,
            subscription_identifiers: option.subscription_identifiers.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_protocol::QoS;

    use super::*;

    fn set(sessions: impl Iterator<Item = u64>) -> Vec<Recipient> {
        sessions
            .map(|session| Recipient {
                session: Incarnation(session),
                qos: QoS::AtLeastOnce,
                retain: session % 3 == 0,
                subscription_identifiers: vec![7; (session % 4) as usize],
            })
            .collect()
    }

    #[test]
    fn a_member_is_found_and_a_stranger_is_not() -> Result<(), RowError> {
        let members = set((1..200).map(|n| n * 2));
        let row = encode_set(&members);
        assert_eq!(&decode_set(&row)?[..], &members[..]);
        let bytes = SetBytes::new(&row)?;
        for member in &members {
            assert_eq!(bytes.find(member.session)?.as_ref(), Some(member));
            assert_eq!(bytes.find(Incarnation(member.session.0 + 1))?, None);
        }
        Ok(())
    }

    #[test]
    fn ten_thousand_cost_twelve_bytes_each() {
        let row = encode_set(&set(1..10_001));
        assert!(row.len() < 10_000 * RECORD_BYTES + 100, "{}", row.len());
    }

    #[test]
    fn every_cut_is_refused() {
        let row = encode_set(&set(1..20));
        for length in 0..row.len() {
            assert!(decode_set(&row[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn disorder_is_refused() {
        let mut members = set(1..4);
        members.swap(0, 1);
        assert!(decode_set(&encode_set(&members)).is_err());
    }
}
