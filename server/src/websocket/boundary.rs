//! Where one WebSocket message ends and the next begins, in the bytes that come (RFC 6455, section 5.2).
//!
//! The library does not say whether it waits for the rest of a message. Who wants to take its buffers from it has to know.

/// What has come so far.
#[derive(Debug, Default)]
pub struct Boundary {
    /// Bytes of the head that are there.
    head: u8,
    /// The second byte of the head: whether there is a mask, and the short length.
    second: u8,
    /// Parts of a message have come, and not the last.
    is_open: bool,
    /// While the head comes its length; then how many bytes of the payload are missing.
    left: u64,
    in_payload: bool,
    /// Of the message that has begun.
    payload_bytes: usize,
}

impl Boundary {
    /// Nothing has begun that is not over.
    pub fn is_between(&self) -> bool {
        self.head == 0 && !self.in_payload && !self.is_open
    }

    /// How much has come of the payload of a message that is not over.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// These bytes have come.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.in_payload {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX);
                let count = count.min(bytes.len());
                self.left -= count as u64;
                self.in_payload = self.left > 0;
                self.payload_bytes += count;
                bytes = &bytes[count..];
            } else {
                self.pass_head(byte);
                bytes = rest;
            }
            if self.is_between() {
                self.payload_bytes = 0;
            }
        }
    }

    fn pass_head(&mut self, byte: u8) {
        const FIN: u8 = 0x80;
        const CONTROL: u8 = 0x08;
        const MASK: u8 = 0x80;
        match self.head {
            // A control frame may stand between the parts of a message.
            0 if byte & CONTROL == 0 => self.is_open = byte & FIN == 0,
            0 => {}
            1 => {
                self.second = byte;
                self.left = match byte & !MASK {
                    126 | 127 => 0,
                    length => u64::from(length),
                };
            }
            // The length, unless it has come: then the mask.
            at if at < 2 + self.length_bytes() => self.left = self.left << 8 | u64::from(byte),
            _ => {}
        }
        self.head += 1;
        let mask_bytes = if self.second & MASK == 0 { 0 } else { 4 };
        if self.head >= 2 && self.head == 2 + self.length_bytes() + mask_bytes {
            self.head = 0;
            self.in_payload = self.left > 0;
        }
    }

    fn length_bytes(&self) -> u8 {
        match self.second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    };

    use super::*;

    fn data(kind: Data, payload_bytes: usize, is_final: bool, mask: bool) -> Vec<u8> {
        let frame = Frame::message(vec![0xff; payload_bytes], OpCode::Data(kind), is_final);
        formatted(frame, mask)
    }

    fn formatted(mut frame: Frame, mask: bool) -> Vec<u8> {
        frame.header_mut().mask = mask.then_some([1, 2, 3, 4]);
        let mut bytes = Vec::new();
        frame.format(&mut bytes).expect("a vector takes all");
        bytes
    }

    /// Every way of saying a length, byte by byte and all at once.
    #[test]
    fn a_message_is_over_with_its_last_byte() {
        for mask in [false, true] {
            for payload_bytes in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
                let bytes = data(Data::Binary, payload_bytes, true, mask);
                let mut boundary = Boundary::default();
                for (at, byte) in bytes.iter().enumerate() {
                    assert_eq!(boundary.is_between(), at == 0, "{payload_bytes} {at}");
                    let head = bytes.len() - payload_bytes;
                    assert_eq!(boundary.payload_bytes(), at.saturating_sub(head));
                    boundary.pass(&[*byte]);
                }
                assert!(boundary.is_between(), "{payload_bytes} {mask}");
                assert_eq!(boundary.payload_bytes(), 0);
                boundary.pass(&bytes.repeat(3));
                assert!(boundary.is_between());
                boundary.pass(&bytes[..bytes.len() - 1]);
                assert!(!boundary.is_between());
            }
        }
    }

    #[test]
    fn parts_of_a_message_belong_together() {
        let mut boundary = Boundary::default();
        boundary.pass(&data(Data::Binary, 10, false, true));
        assert!(!boundary.is_between());
        boundary.pass(&formatted(Frame::ping(vec![1; 4]), true));
        assert!(!boundary.is_between());
        boundary.pass(&data(Data::Continue, 10, false, true));
        assert!(!boundary.is_between());
        assert!(boundary.payload_bytes() >= 20);
        boundary.pass(&data(Data::Continue, 0, true, true));
        assert!(boundary.is_between());
    }
}
