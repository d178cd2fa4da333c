//! Values as they lie in memory between TypeScript and Rust; `npm/src/wasm/values.ts` is the other side.
//!
//! A value is a byte that says its kind, a number (32 bits without sign, little-endian), and for text and bytes as many
//! bytes as the number says; for a list so many values follow. A number that does not fit is eight bytes, a 64-bit float:
//! JavaScript would keep each of these in an object of its own. What has the wrong kind counts as not there.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};
use ebbtide_protocol::ByteString;
use ebbtide_protocol::packet::UserProperty;

const NOTHING: u8 = 0;
const NUMBER: u8 = 1;
const FLAG: u8 = 2;
const TEXT: u8 = 3;
const BYTES: u8 = 4;
const LIST: u8 = 5;
const FLOAT: u8 = 6;
/// [`BYTES`] that the other side may copy into a buffer together with others.
const PASSING: u8 = 7;
/// The length of a [`FLOAT`].
const FLOAT_BYTES: u32 = 8;

/// Values that came, taken one by one. Text and bytes are slices of what came, never copies.
#[derive(Debug)]
pub struct Reader(pub Bytes);

impl Reader {
    /// The kind, the number, and what belongs to it.
    fn next(&mut self) -> (u8, u32, Bytes) {
        let kind = self.0.try_get_u8().unwrap_or(NOTHING);
        let number = self.0.try_get_u32_le().unwrap_or(0);
        let length = match kind {
            TEXT | BYTES | FLOAT => (number as usize).min(self.0.len()),
            _ => 0,
        };
        (kind, number, self.0.split_to(length))
    }

    /// A number.
    pub fn number(&mut self) -> Option<f64> {
        match self.next() {
            (NUMBER, number, _) => Some(number.into()),
            (FLOAT, _, mut bytes) => bytes.try_get_f64_le().ok(),
            _ => None,
        }
    }

    /// A number that is 0 when it is not there.
    pub fn count(&mut self) -> u32 {
        self.number().unwrap_or(0.0) as u32
    }

    /// Yes or no; no when it is not there.
    pub fn flag(&mut self) -> bool {
        self.next().1 != 0
    }

    /// Text, or bytes.
    pub fn bytes(&mut self) -> Option<Bytes> {
        let (kind, _, bytes) = self.next();
        matches!(kind, TEXT | BYTES).then_some(bytes)
    }

    /// Text.
    pub fn text(&mut self) -> Option<ByteString> {
        ByteString::try_from(self.bytes()?).ok()
    }

    /// How many values of a list follow.
    pub fn list(&mut self) -> usize {
        let (kind, number, _) = self.next();
        if kind == LIST { number as usize } else { 0 }
    }

    /// A list of pairs, each a list of two.
    pub fn user_properties(&mut self) -> Vec<UserProperty> {
        let mut pairs = Vec::new();
        for _ in 0..self.list() {
            self.list();
            let name = self.text().unwrap_or_default();
            pairs.push((name, self.text().unwrap_or_default()));
        }
        pairs
    }
}

/// Values that are to go.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    #[inline(never)]
    fn head(&mut self, kind: u8, number: u32) {
        self.0.push(kind);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A value that is not there.
    pub fn nothing(&mut self) {
        self.head(NOTHING, 0);
    }

    /// A number.
    pub fn number(&mut self, number: impl Into<u32>) {
        self.head(NUMBER, number.into());
    }

    /// A number that may have more than 32 bits, or a sign.
    pub fn float(&mut self, number: f64) {
        let short = number as u32;
        if f64::from(short) == number {
            return self.number(short);
        }
        self.head(FLOAT, FLOAT_BYTES);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A number, if it is there.
    pub fn maybe_number(&mut self, number: Option<u32>) {
        match number {
            Some(number) => self.number(number),
            None => self.nothing(),
        }
    }

    /// Yes or no.
    pub fn flag(&mut self, is_set: bool) {
        self.head(FLAG, is_set.into());
    }

    /// Yes or no, if it is there.
    pub fn maybe_flag(&mut self, is_set: Option<bool>) {
        match is_set {
            Some(is_set) => self.flag(is_set),
            None => self.nothing(),
        }
    }

    #[inline(never)]
    fn block(&mut self, kind: u8, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => {
                self.head(kind, bytes.len() as u32);
                self.0.extend_from_slice(bytes);
            }
            None => self.nothing(),
        }
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        self.block(TEXT, Some(text.as_bytes()));
    }

    /// Text, if it is there.
    pub fn maybe_text(&mut self, text: Option<&ByteString>) {
        self.block(TEXT, text.map(|text| &text.as_bytes()[..]));
    }

    /// Bytes, if they are there.
    pub fn maybe_bytes(&mut self, bytes: Option<&Bytes>) {
        self.block(BYTES, bytes.map(|bytes| &bytes[..]));
    }

    /// Bytes that are looked at and let go, as a rule: small ones share a buffer over there.
    pub fn passing(&mut self, bytes: &Bytes) {
        self.block(PASSING, Some(bytes));
    }

    /// So many values follow as a list.
    pub fn list(&mut self, length: usize) {
        self.head(LIST, length as u32);
    }

    /// A list of pairs, each a list of two; nothing if there are none.
    pub fn user_properties(&mut self, pairs: &[UserProperty]) {
        if pairs.is_empty() {
            return self.nothing();
        }
        self.list(pairs.len());
        for (name, value) in pairs {
            self.list(2);
            self.text(name);
            self.text(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(write: impl FnOnce(&mut Writer)) -> Reader {
        let mut writer = Writer::default();
        write(&mut writer);
        Reader(writer.0.into())
    }

    #[test]
    fn values_come_as_they_went() {
        let pairs = [("a".into(), "ä".into()), ("".into(), "b".into())];
        let mut values = read(|to| {
            to.number(65_536_u32);
            to.float(-1.5);
            to.float(7.0);
            to.flag(true);
            to.text("text");
            to.maybe_bytes(Some(&Bytes::from_static(&[0, 255])));
            to.user_properties(&pairs);
            to.maybe_number(None);
            to.number(7_u8);
        });
        assert_eq!(values.number(), Some(65_536.0));
        assert_eq!(values.number(), Some(-1.5));
        assert_eq!(values.number(), Some(7.0));
        assert!(values.flag());
        assert_eq!(values.text().as_deref(), Some("text"));
        assert_eq!(values.bytes().as_deref(), Some(&[0, 255][..]));
        assert_eq!(values.user_properties(), pairs);
        assert_eq!(values.number(), None);
        assert_eq!(values.count(), 7);
    }

    #[test]
    fn what_is_not_there_or_of_another_kind_is_nothing() {
        let mut values = read(|to| {
            to.text("7");
            to.number(7_u8);
            to.maybe_bytes(Some(&Bytes::from_static(&[255])));
        });
        assert_eq!(values.number(), None);
        assert_eq!(values.bytes(), None);
        assert_eq!(values.text(), None, "it is no UTF-8");
        assert!(values.user_properties().is_empty());
        assert!(!values.flag());
        // A length that runs past the end.
        let mut values = Reader(Bytes::from_static(&[TEXT, 100, 0, 0, 0, b'x']));
        assert_eq!(values.text().as_deref(), Some("x"));
    }
}
