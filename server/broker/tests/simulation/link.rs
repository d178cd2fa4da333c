//! The network between one client and the broker: bytes under way, in order, delivered in pieces that know nothing of
//! packets.

use bytes::BytesMut;

use super::random::Random;

/// One direction.
#[derive(Default)]
pub struct Pipe {
    bytes: BytesMut,
    /// Somebody has been told when the next piece arrives.
    pub is_scheduled: bool,
    /// Nothing that goes in comes out.
    is_dead: bool,
}

impl Pipe {
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_dead {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The next piece: all that is under way, or a part, down to a byte.
    pub fn take_piece(&mut self, random: &mut Random) -> BytesMut {
        let all = self.bytes.len();
        let length = match random.below(10) {
            _ if all == 0 => 0,
            0..6 => all,
            6..9 => 1 + random.below(all),
            _ => 1 + random.below(all.min(4)),
        };
        self.bytes.split_to(length)
    }

    /// The cable is cut: what has got through so far is a part of what was under way, perhaps in the middle of a
    /// packet; the rest is lost.
    pub fn cut(&mut self, random: &mut Random) -> BytesMut {
        let got_through = random.below(self.bytes.len() + 1);
        let piece = self.bytes.split_to(got_through);
        self.bytes.clear();
        self.is_dead = true;
        piece
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// How long a piece is under way, milliseconds: mostly short, now and then as long as a bad mobile network takes.
pub fn delay_ms(random: &mut Random) -> u64 {
    match random.below(20) {
        0..14 => random.between(0, 5),
        14..19 => random.between(5, 60),
        _ => random.between(60, 600),
    }
}
