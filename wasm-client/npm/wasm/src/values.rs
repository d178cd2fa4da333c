//! Values as they lie in memory between TypeScript and Rust; `npm/src/wasm/values.ts` is the other side.
//!
//! A value is a byte that says its kind, a number (64-bit float, little-endian), and for text and bytes as many bytes as
//! the number says; for a list so many values follow. What has the wrong kind counts as not there.

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

/// Values that came, taken one by one. Text and bytes are slices of what came, never copies.
#[derive(Debug)]
pub struct Reader(pub Bytes);

impl Reader {
    /// The kind, the number, and what belongs to it.
    fn next(&mut self) -> (u8, f64, Bytes) {
        let kind = self.0.try_get_u8().unwrap_or(NOTHING);
        let number = self.0.try_get_f64_le().unwrap_or(0.0);
        let length = match kind {
            TEXT | BYTES => (number as usize).min(self.0.len()),
            _ => 0,
        };
        (kind, number, self.0.split_to(length))
    }

    /// A number.
    pub fn number(&mut self) -> Option<f64> {
        let (kind, number, _) = self.next();
        (kind == NUMBER).then_some(number)
    }

    /// A number that is 0 when it is not there.
    pub fn count(&mut self) -> u32 {
        self.number().unwrap_or(0.0) as u32
    }

    /// Yes or no; no when it is not there.
    pub fn flag(&mut self) -> bool {
        self.next().1 != 0.0
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
    fn head(&mut self, kind: u8, number: f64) {
        self.0.push(kind);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A value that is not there.
    pub fn nothing(&mut self) {
        self.head(NOTHING, 0.0);
    }

    /// A number.
    pub fn number(&mut self, number: impl Into<f64>) {
        self.head(NUMBER, number.into());
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
        self.head(FLAG, f64::from(u8::from(is_set)));
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
                self.head(kind, bytes.len() as f64);
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

    /// So many values follow as a list.
    pub fn list(&mut self, length: usize) {
        self.head(LIST, length as f64);
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
            to.number(65_536);
            to.flag(true);
            to.text("text");
            to.maybe_bytes(Some(&Bytes::from_static(&[0, 255])));
            to.user_properties(&pairs);
            to.maybe_number(None);
            to.number(7);
        });
        assert_eq!(values.number(), Some(65_536.0));
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
            to.number(7);
            to.maybe_bytes(Some(&Bytes::from_static(&[255])));
        });
        assert_eq!(values.number(), None);
        assert_eq!(values.bytes(), None);
        assert_eq!(values.text(), None, "it is no UTF-8");
        assert!(values.user_properties().is_empty());
        assert!(!values.flag());
        // A length that runs past the end.
        let mut values = Reader(Bytes::from_static(&[
            TEXT, 0, 0, 0, 0, 0, 0, 0x59, 0x40, b'x',
        ]));
        assert_eq!(values.text().as_deref(), Some("x"));
    }
}
