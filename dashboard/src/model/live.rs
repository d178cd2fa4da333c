//! Messages as they arrive, the newest first, for as long as somebody looks.
//!
//! At most [`SHOWN_MAX`]; the oldest go and are counted. While it is paused the list stands still: what arrives waits, as
//! many again, and older ones of those are counted too.

use std::collections::VecDeque;
use std::rc::Rc;

use super::message::Message;

pub const SHOWN_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub struct Live {
    shown: VecDeque<Rc<Message>>,
    waiting: VecDeque<Rc<Message>>,
    is_paused: bool,
    /// All that arrived.
    pub received: u64,
    /// Those that are neither shown nor wait any more.
    pub dropped: u64,
}

impl Live {
    pub fn take(&mut self, message: Message) {
        self.received += 1;
        let list = if self.is_paused {
            &mut self.waiting
        } else {
            &mut self.shown
        };
        list.push_front(Rc::new(message));
        self.dropped += cut(list);
    }

    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn pause(&mut self) {
        self.is_paused = true;
    }

    /// What has waited comes first.
    pub fn resume(&mut self) {
        self.is_paused = false;
        while let Some(message) = self.waiting.pop_back() {
            self.shown.push_front(message);
        }
        self.dropped += cut(&mut self.shown);
    }

    pub fn clear(&mut self) {
        self.shown.clear();
        self.waiting.clear();
        self.received = 0;
        self.dropped = 0;
    }

    /// Those whose topic or payload has the text.
    pub fn matching(&self, search: &str) -> Vec<Rc<Message>> {
        let search = search.trim().to_lowercase();
        if search.is_empty() {
            return self.shown.iter().cloned().collect();
        }
        let matches = |message: &&Rc<Message>| {
            message.topic.to_lowercase().contains(&search) || message.payload.has(&search)
        };
        self.shown.iter().filter(matches).cloned().collect()
    }
}

fn cut(list: &mut VecDeque<Rc<Message>>) -> u64 {
    let over = list.len().saturating_sub(SHOWN_MAX);
    list.truncate(SHOWN_MAX);
    over as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &str) -> Message {
        Message::retained(topic, payload)
    }

    fn shown(live: &Live, search: &str) -> Vec<String> {
        let text = |message: &Rc<Message>| message.payload.text().unwrap_or_default().to_owned();
        live.matching(search).iter().map(text).collect()
    }

    #[test]
    fn the_newest_comes_first_and_a_search_narrows() {
        let mut live = Live::default();
        live.take(message("Lamp/1", "on"));
        live.take(message("door", "OPEN"));
        assert_eq!(shown(&live, ""), ["OPEN", "on"]);
        assert_eq!(shown(&live, "lamp"), ["on"]);
        assert_eq!(shown(&live, "open"), ["OPEN"]);
    }

    #[test]
    fn a_pause_holds_the_list_and_loses_nothing_that_fits() {
        let mut live = Live::default();
        live.take(message("t", "1"));
        live.pause();
        live.take(message("t", "2"));
        live.take(message("t", "3"));
        assert_eq!(
            (shown(&live, ""), live.waiting()),
            (vec!["1".to_owned()], 2)
        );
        live.resume();
        assert_eq!(shown(&live, ""), ["3", "2", "1"]);
        assert_eq!((live.received, live.dropped), (3, 0));
    }

    #[test]
    fn what_goes_is_counted() {
        let mut live = Live::default();
        for n in 0..SHOWN_MAX + 5 {
            live.take(message("t", &n.to_string()));
        }
        assert_eq!((shown(&live, "").len(), live.dropped), (SHOWN_MAX, 5));
        live.pause();
        for n in 0..SHOWN_MAX + 2 {
            live.take(message("t", &n.to_string()));
        }
        assert_eq!((live.waiting(), live.dropped), (SHOWN_MAX, 7));
        live.resume();
        assert_eq!(live.received, live.dropped + SHOWN_MAX as u64);
        live.clear();
        assert_eq!((live.received, live.waiting()), (0, 0));
    }
}
