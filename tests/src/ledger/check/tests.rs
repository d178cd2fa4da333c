//! Each broken promise in a book of a few lines: a checker that cannot fail would show nothing.

use std::{sync::Arc, time::Duration};

use ebbtide_protocol::QoS;

use super::{Counts, Kind, check};
use crate::ledger::book::{Client, Entry, Event, Promise, Stamp};

const PUBLISHER: Client = Client(0);
const SUBSCRIBER: Client = Client(1);
const TOPIC: &str = "run/log/0";

/// Writes a book, a tenth of a second between two lines.
#[derive(Default)]
struct Story(Vec<Entry>);

impl Story {
    /// A subscriber with a kept session that is online.
    fn begin() -> Self {
        Self::default()
            .connect(SUBSCRIBER, false)
            .then(Event::Subscribed {
                client: SUBSCRIBER,
                filter: "run/log/#".into(),
            })
    }

    fn then(mut self, event: Event) -> Self {
        let at = Duration::from_millis(100) * u32::try_from(self.0.len()).expect("a short story");
        self.0.push(Entry { at, event });
        self
    }

    fn connect(self, client: Client, session_present: bool) -> Self {
        self.connect_with(client, session_present, None)
    }

    fn connect_with(self, client: Client, session_present: bool, will: Option<Promise>) -> Self {
        self.then(Event::Connecting {
            client,
            clean_start: false,
            keeps: true,
            will,
        })
        .then(Event::Connected {
            client,
            session_present,
        })
    }

    fn send(self, number: u32, serial: u32, qos: QoS) -> Self {
        self.then(Event::Sending {
            stamp: stamp(number, serial),
            topic: TOPIC.into(),
            qos,
            retain: false,
            clears: false,
        })
    }

    fn accept(self, number: u32, serial: u32) -> Self {
        self.then(Event::Accepted {
            stamp: stamp(number, serial),
        })
    }

    fn publish(self, number: u32, qos: QoS) -> Self {
        self.send(number, number, qos).accept(number, number)
    }

    fn receive(self, number: u32, serial: u32, qos: QoS, dup: bool) -> Self {
        self.then(Event::Received {
            client: SUBSCRIBER,
            stamp: stamp(number, serial),
            topic: TOPIC.into(),
            qos,
            dup,
        })
    }

    fn acknowledge(self, number: u32) -> Self {
        self.then(Event::Acknowledged {
            client: SUBSCRIBER,
            stamp: stamp(number, number),
        })
    }

    fn ping(self) -> Self {
        let client = SUBSCRIBER;
        self.then(Event::Pinging { client })
            .then(Event::Ponged { client })
    }

    fn crash(self) -> Self {
        self.then(Event::Kill).then(Event::Ready)
    }

    fn kinds(&self) -> Vec<Kind> {
        check(&self.0).0.iter().map(|fault| fault.kind).collect()
    }

    fn counts(&self) -> Counts {
        check(&self.0).1
    }
}

fn stamp(number: u32, serial: u32) -> Stamp {
    Stamp {
        client: PUBLISHER,
        number,
        serial,
    }
}

#[test]
fn what_was_accepted_must_come_and_what_was_not_may() {
    for (qos, kind) in [
        (QoS::AtLeastOnce, Kind::LostQos1),
        (QoS::ExactlyOnce, Kind::LostQos2),
    ] {
        let story = Story::begin().publish(0, qos).crash();
        assert_eq!(story.kinds(), [kind]);
        assert!(story.receive(0, 0, qos, false).kinds().is_empty());
        let story = Story::begin().send(0, 0, qos).crash();
        assert!(story.kinds().is_empty());
        assert!(story.receive(0, 0, qos, false).kinds().is_empty());
    }
}

#[test]
fn qos_2_comes_once() {
    let qos = QoS::ExactlyOnce;
    let story = Story::begin()
        .send(0, 0, qos)
        .receive(0, 0, qos, false)
        .crash()
        .connect(SUBSCRIBER, true)
        .receive(0, 0, qos, true);
    assert!(story.kinds().contains(&Kind::TwiceQos2));
    // Sent again after the crash, and taken for another message.
    let story = Story::begin()
        .send(0, 0, qos)
        .receive(0, 0, qos, false)
        .crash()
        .send(0, 1, qos)
        .accept(0, 1)
        .receive(0, 1, qos, false);
    assert_eq!(story.kinds(), [Kind::TwiceQos2]);
    // The same at QoS 1, where what the killed broker had sent may come twice, and may be read late.
    let again = |resumed: bool| {
        let story = Story::begin().send(0, 0, qos).crash();
        let story = story.receive(0, 0, QoS::AtLeastOnce, false);
        let story = match resumed {
            true => story.connect(SUBSCRIBER, true),
            false => story,
        };
        let story = story.send(0, 1, qos).accept(0, 1);
        story.receive(0, 1, QoS::AtLeastOnce, false).kinds()
    };
    assert!(again(true).is_empty());
    assert_eq!(again(false), [Kind::TwiceQos2]);
    // Nothing was killed in between.
    let story = Story::begin()
        .send(0, 0, qos)
        .receive(0, 0, QoS::AtLeastOnce, false)
        .connect(SUBSCRIBER, true)
        .send(0, 1, qos)
        .accept(0, 1)
        .receive(0, 1, QoS::AtLeastOnce, false);
    assert_eq!(story.kinds(), [Kind::TwiceQos2]);
}

#[test]
fn qos_1_comes_again_only_if_its_acknowledgement_may_be_lost() {
    let qos = QoS::AtLeastOnce;
    let again = |story: Story, dup| {
        story
            .crash()
            .connect(SUBSCRIBER, true)
            .receive(0, 0, qos, dup)
            .kinds()
    };
    let received = || Story::begin().publish(0, qos).receive(0, 0, qos, false);
    assert!(again(received(), true).is_empty());
    assert_eq!(again(received(), false), [Kind::RepeatedQos1]);
    // Read by the broker, but perhaps not on disk.
    let read = || received().acknowledge(0).ping();
    assert!(again(read(), true).is_empty());
    // What was sent later is on disk.
    let committed = read().publish(1, qos).receive(1, 1, qos, false);
    assert_eq!(again(committed, true), [Kind::RepeatedQos1]);
    // Nothing was killed.
    let story = read().connect(SUBSCRIBER, true).receive(0, 0, qos, true);
    assert_eq!(story.kinds(), [Kind::RepeatedQos1]);
}

#[test]
fn order_holds_within_a_connection_and_for_what_is_new() {
    let qos = QoS::AtLeastOnce;
    let sent = || Story::begin().publish(0, qos).publish(1, qos);
    let story = sent().receive(1, 1, qos, false).receive(0, 0, qos, false);
    assert_eq!(story.kinds(), [Kind::OutOfOrder]);
    let story = sent()
        .receive(1, 1, qos, false)
        .connect(SUBSCRIBER, true)
        .receive(0, 0, qos, true);
    assert_eq!(story.kinds(), [Kind::OutOfOrder]);
    let story = Story::begin()
        .publish(0, QoS::ExactlyOnce)
        .publish(1, qos)
        .receive(1, 1, qos, false)
        .receive(0, 0, QoS::ExactlyOnce, false);
    assert_eq!(story.kinds(), [Kind::OutOfOrderAcrossQos]);
}

#[test]
fn nothing_comes_that_was_not_sent() {
    let story = Story::begin().receive(0, 0, QoS::AtLeastOnce, false);
    assert_eq!(story.kinds(), [Kind::Strange]);
}

#[test]
fn a_retained_message_is_the_last_accepted_or_a_later_one() {
    let topic: Arc<str> = "run/kept/0/1".into();
    let set = |story: Story, number, clears| {
        story.then(Event::Sending {
            stamp: stamp(number, number),
            topic: topic.clone(),
            qos: QoS::AtLeastOnce,
            retain: true,
            clears,
        })
    };
    let found = |story: Story, number: Option<u32>| {
        let story = story.crash().then(Event::Found {
            client: PUBLISHER,
            topic: topic.clone(),
            stamp: number.map(|number| stamp(number, number)),
        });
        story.kinds()
    };
    let story = || {
        let story = set(Story::default(), 0, false).accept(0, 0);
        let story = set(story, 1, false).accept(1, 1);
        set(story, 2, true)
    };
    assert!(found(story(), Some(1)).is_empty());
    assert!(found(story(), None).is_empty());
    assert_eq!(found(story(), Some(0)), [Kind::Retained]);
    let cleared = || story().accept(2, 2);
    assert!(found(cleared(), None).is_empty());
    assert_eq!(found(cleared(), Some(1)), [Kind::Retained]);
    let replaced = || set(cleared(), 3, false).accept(3, 3);
    assert_eq!(found(replaced(), None), [Kind::Retained]);
    // Once seen after a crash it was on disk.
    let seen = story().crash().then(Event::Found {
        client: PUBLISHER,
        topic: topic.clone(),
        stamp: None,
    });
    assert_eq!(found(seen, Some(1)), [Kind::Retained]);
}

#[test]
fn a_subscription_is_as_it_was_acknowledged() {
    let filter: Arc<str> = "run/collected/1/0".into();
    let client = SUBSCRIBER;
    let probe = |story: Story, arrived| {
        let filter = filter.clone();
        let story = story.crash().then(Event::Probed {
            client,
            filter,
            arrived,
        });
        story.kinds()
    };
    let subscribing = || {
        let filter = filter.clone();
        Story::default().then(Event::Subscribing { client, filter })
    };
    let subscribed = || {
        let filter = filter.clone();
        subscribing().then(Event::Subscribed { client, filter })
    };
    let unsubscribing = || {
        let filter = filter.clone();
        subscribed().then(Event::Unsubscribing { client, filter })
    };
    let unsubscribed = || {
        let filter = filter.clone();
        unsubscribing().then(Event::Unsubscribed { client, filter })
    };
    for under_way in [
        subscribing(),
        subscribing(),
        unsubscribing(),
        unsubscribing(),
    ]
    .into_iter()
    .zip([true, false, true, false])
    {
        assert!(probe(under_way.0, under_way.1).is_empty());
    }
    assert!(probe(subscribed(), true).is_empty());
    assert_eq!(probe(subscribed(), false), [Kind::Subscription]);
    assert!(probe(unsubscribed(), false).is_empty());
    assert_eq!(probe(unsubscribed(), true), [Kind::Subscription]);
}

#[test]
fn session_present_is_true() {
    let story = |present| Story::begin().crash().connect(SUBSCRIBER, present);
    assert!(story(true).kinds().is_empty());
    assert_eq!(story(false).kinds(), [Kind::Session]);
    assert_eq!(
        Story::default().connect(SUBSCRIBER, true).kinds(),
        [Kind::Session]
    );
    let clean = Story::begin().crash().then(Event::Connecting {
        client: SUBSCRIBER,
        clean_start: true,
        keeps: true,
        will: None,
    });
    let clean = clean.then(Event::Connected {
        client: SUBSCRIBER,
        session_present: true,
    });
    assert_eq!(clean.kinds(), [Kind::Session]);
}

fn will(delay_s: u64) -> Option<Promise> {
    Some(Promise {
        stamp: stamp(0, 0),
        delay: Duration::from_secs(delay_s),
    })
}

#[test]
fn a_will_comes_after_the_kill_unless_its_client_had_said_goodbye() {
    let connected = || Story::begin().connect_with(PUBLISHER, false, will(0));
    let come = |story: Story| story.receive(0, 0, QoS::AtLeastOnce, false).kinds();
    assert_eq!(connected().crash().kinds(), [Kind::WillMissing]);
    assert!(come(connected().crash()).is_empty());
    let goodbye = || {
        let client = PUBLISHER;
        let says_so = true;
        connected()
            .then(Event::Leaving { client, says_so })
            .then(Event::Left { client })
    };
    assert_eq!(come(goodbye()), [Kind::WillUncalledFor]);
    // Nobody knows whether that was on disk.
    assert!(come(goodbye().crash()).is_empty());
    assert!(goodbye().crash().kinds().is_empty());
}

#[test]
fn a_goodbye_that_was_on_disk_holds() {
    let client = Client(2);
    let promise = Promise {
        stamp: Stamp {
            client,
            number: 0,
            serial: 0,
        },
        delay: Duration::ZERO,
    };
    let story = Story::begin()
        .connect_with(client, false, Some(promise))
        .then(Event::Leaving {
            client,
            says_so: true,
        })
        .then(Event::Left { client })
        .publish(0, QoS::AtLeastOnce)
        .receive(0, 0, QoS::AtLeastOnce, false)
        .crash();
    assert!(story.kinds().is_empty());
    assert_eq!(story.counts().wills_kept_back, 1);
    let story = story.then(Event::Received {
        client: SUBSCRIBER,
        stamp: promise.stamp,
        topic: TOPIC.into(),
        qos: QoS::AtLeastOnce,
        dup: false,
    });
    assert_eq!(story.kinds(), [Kind::WillUncalledFor]);
}

#[test]
fn a_will_waits_for_its_delay() {
    let back_after = |tenths: u32, delay_s| {
        let mut story = Story::begin()
            .connect_with(PUBLISHER, false, will(delay_s))
            .crash();
        for _ in 0..tenths {
            story = story.ping();
        }
        story.connect(PUBLISHER, true)
    };
    let come = |story: Story| story.receive(0, 0, QoS::AtLeastOnce, false).kinds();
    assert!(back_after(2, 60).kinds().is_empty());
    assert_eq!(come(back_after(2, 60)), [Kind::WillUncalledFor]);
    assert_eq!(back_after(20, 1).kinds(), [Kind::WillMissing]);
    assert!(come(back_after(20, 1)).is_empty());
}

#[test]
fn what_the_broker_owes_at_once_is_told() {
    let story = Story::begin().then(Event::Stuck {
        client: SUBSCRIBER,
        what: "no PINGRESP in time".into(),
    });
    assert_eq!(story.kinds(), [Kind::Stuck]);
}
