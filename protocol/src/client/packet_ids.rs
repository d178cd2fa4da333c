//! Packet identifiers of this client's own requests: each in use at most once [MQTT-2.2.1-3].

use alloc::vec::Vec;

use crate::PacketId;

/// Which of the 65,535 identifiers are taken.
#[derive(Debug)]
pub(super) struct PacketIds {
    used: Vec<u64>,
    last: u16,
    count: usize,
}

impl PacketIds {
    pub(super) fn new() -> Self {
        Self {
            used: Vec::new(),
            last: 0,
            count: 0,
        }
    }

    /// A free identifier, the one that was free for longest first; `None` if all are taken.
    pub(super) fn take(&mut self) -> Option<PacketId> {
        if self.count == usize::from(u16::MAX) {
            return None;
        }
        loop {
            self.last = self.last.wrapping_add(1);
            let Some(id) = PacketId::new(self.last) else {
                continue;
            };
            if self.reserve(id) {
                return Some(id);
            }
        }
    }

    /// Takes this identifier, of an earlier run. Whether it was free.
    pub(super) fn reserve(&mut self, id: PacketId) -> bool {
        let (word, bit) = place(id);
        if word >= self.used.len() {
            self.used.resize(word + 1, 0);
        }
        let is_free = self.used[word] & bit == 0;
        self.used[word] |= bit;
        self.count += usize::from(is_free);
        is_free
    }

    /// The identifier is free again.
    pub(super) fn free(&mut self, id: PacketId) {
        let (word, bit) = place(id);
        if let Some(word) = self.used.get_mut(word)
            && *word & bit != 0
        {
            *word &= !bit;
            self.count -= 1;
        }
    }

    /// All identifiers are free.
    pub(super) fn clear(&mut self) {
        self.used.clear();
        self.count = 0;
    }
}

fn place(id: PacketId) -> (usize, u64) {
    (usize::from(id.get() / 64), 1 << (id.get() % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MQTT-2.2.1-3]
    #[test]
    fn every_identifier_once_and_none_beyond() {
        let mut ids = PacketIds::new();
        for expected in 1..=u16::MAX {
            assert_eq!(ids.take().map(PacketId::get), Some(expected));
        }
        assert_eq!(ids.take(), None);
        let freed = PacketId::new(300).expect("not zero");
        ids.free(freed);
        ids.free(freed);
        assert_eq!(ids.take(), Some(freed));
        assert_eq!(ids.take(), None);
    }
}
