//! The works, and what a unit of each is.

use bytes::BytesMut;
use ebbtide_protocol::QoS::{self, AtLeastOnce, AtMostOnce, ExactlyOnce};
use ebbtide_store::access::{Actions, Effect, RuleRow, Who};

use super::{
    packets::{self, Template},
    rig::Rig,
};

/// Messages that come in one read.
const AT_ONCE: usize = 10;
const PAIRS: usize = 10;
const SUBSCRIBERS: usize = 100;
/// More than a queue has room for, with as many messages each as come at once.
const CROWD: usize = 1_000;
const MEMBERS: usize = 10;
const AWAY: usize = 10;
const TOPICS: usize = 1_000;
const USERS: usize = 100;

/// One kind of work.
pub struct Work {
    /// As it is asked for.
    pub name: &'static str,
    /// What is done `count` times.
    #[allow(dead_code, reason = "where instructions are counted it is shown")]
    pub unit: &'static str,
    /// How often, to be told from what it sets up.
    pub count: usize,
    /// Deliveries of each unit.
    pub deliveries: u64,
    play: fn(count: usize) -> u64,
}

impl Work {
    /// Does it `count` times.
    ///
    /// # Panics
    /// When not everything was delivered: then nothing that was counted is true.
    pub fn play(&self, count: usize) {
        let delivered = (self.play)(count);
        assert_eq!(delivered, self.deliveries * count as u64, "{}", self.name);
    }
}

/// All of them.
pub const ALL: [Work; 18] = [
    work("p2p-0", "message at QoS 0 from one to one", 1_000, 1, |n| {
        p2p(AtMostOnce, n)
    }),
    work("p2p-1", "message at QoS 1 from one to one", 1_000, 1, |n| {
        p2p(AtLeastOnce, n)
    }),
    work("p2p-2", "message at QoS 2 from one to one", 1_000, 1, |n| {
        p2p(ExactlyOnce, n)
    }),
    work(
        "fan-out-0",
        "message at QoS 0 to a hundred",
        100,
        100,
        |n| fan_out(AtMostOnce, n),
    ),
    work(
        "fan-out-1",
        "message at QoS 1 to a hundred",
        100,
        100,
        |n| fan_out(AtLeastOnce, n),
    ),
    work(
        "fan-in-0",
        "message at QoS 0 of one of ten to a wildcard",
        2_000,
        1,
        fan_in,
    ),
    work(
        "topics-0",
        "message at QoS 0 of a thousand topics to a wildcard",
        2_000,
        1,
        |n| topics(1, n),
    ),
    work(
        "topics-fan-out-0",
        "message at QoS 0 of a thousand topics to a hundred wildcards",
        1_000,
        100,
        |n| topics(SUBSCRIBERS, n),
    ),
    work(
        "crowd-1",
        "message at QoS 1 of one of a thousand who wait for room",
        10_000,
        1,
        crowd,
    ),
    work(
        "shared-1",
        "message at QoS 1 to a group of ten",
        1_000,
        1,
        shared,
    ),
    work(
        "kept-1",
        "message at QoS 1 to a session that is kept, and there",
        1_000,
        1,
        kept,
    ),
    work(
        "rules-0",
        "message at QoS 0 that a hundred rules are asked about",
        1_000,
        1,
        rules,
    ),
    work(
        "retained-set",
        "retained message at QoS 1, of a thousand topics",
        1_000,
        0,
        set,
    ),
    work(
        "retained-get",
        "subscription to one of a thousand retained messages",
        500,
        1,
        get,
    ),
    work(
        "retained-all",
        "subscription to a thousand retained messages",
        10,
        1_000,
        get_all,
    ),
    work(
        "offline",
        "message at QoS 1 for ten who are away, and come back",
        500,
        10,
        offline,
    ),
    work(
        "away",
        "message at QoS 1 for a hundred who stay away",
        500,
        0,
        away,
    ),
    work(
        "connect",
        "client that comes, subscribes and goes",
        500,
        0,
        connect,
    ),
];

const fn work(
    name: &'static str,
    unit: &'static str,
    count: usize,
    deliveries: u64,
    play: fn(usize) -> u64,
) -> Work {
    Work {
        name,
        unit,
        count,
        deliveries,
        play,
    }
}

fn come(rig: &mut Rig, name: &str) -> usize {
    rig.open(&packets::connect(name, false))
}

fn subscriber(rig: &mut Rig, name: &str, filter: &str, qos: QoS) -> usize {
    let client = come(rig, name);
    rig.send(client, &packets::subscribe(filter, qos));
    client
}

/// Publishes `count` in all, some at once, by each of these in turn. Gives how many were delivered.
fn publish(rig: &mut Rig, publishers: &mut [(usize, Template)], count: usize) -> u64 {
    let before = rig.delivered;
    let mut left = count;
    while left > 0 {
        for (client, template) in &mut *publishers {
            let now = left.min(AT_ONCE);
            left -= now;
            rig.put(*client, |input| (0..now).for_each(|_| template.put(input)));
        }
        rig.settle();
    }
    rig.delivered - before
}

fn p2p(qos: QoS, count: usize) -> u64 {
    pairs(&mut Rig::new(), qos, count)
}

fn pairs(rig: &mut Rig, qos: QoS, count: usize) -> u64 {
    let mut publishers = Vec::new();
    for pair in 0..PAIRS {
        let topic = format!("cost/pair-{pair}/value");
        subscriber(rig, &format!("sub-{pair}"), &topic, qos);
        let publisher = come(rig, &format!("pub-{pair}"));
        publishers.push((publisher, Template::new(&topic, qos, false)));
    }
    publish(rig, &mut publishers, count)
}

fn fan_out(qos: QoS, count: usize) -> u64 {
    let mut rig = Rig::new();
    for number in 0..SUBSCRIBERS {
        subscriber(&mut rig, &format!("sub-{number}"), "cost/all", qos);
    }
    let publisher = come(&mut rig, "pub");
    let template = Template::new("cost/all", qos, false);
    publish(&mut rig, &mut [(publisher, template)], count)
}

fn fan_in(count: usize) -> u64 {
    let mut rig = Rig::new();
    subscriber(&mut rig, "sub", "cost/+/value/#", AtMostOnce);
    let mut publishers = Vec::new();
    for number in 0..PAIRS {
        let publisher = come(&mut rig, &format!("pub-{number}"));
        let topic = format!("cost/{number}/value");
        publishers.push((publisher, Template::new(&topic, AtMostOnce, false)));
    }
    publish(&mut rig, &mut publishers, count)
}

/// More topics than the index remembers.
fn topics(subscribers: usize, count: usize) -> u64 {
    let mut rig = Rig::new();
    for number in 0..subscribers {
        subscriber(&mut rig, &format!("sub-{number}"), "cost/#", AtMostOnce);
    }
    let publisher = come(&mut rig, "pub");
    let topics = (0..TOPICS).map(|number| Template::new(&device_topic(number), AtMostOnce, false));
    publish_each(&mut rig, publisher, topics.collect(), count);
    rig.delivered
}

fn crowd(count: usize) -> u64 {
    let mut rig = Rig::new();
    subscriber(&mut rig, "sub", "cost/all", AtLeastOnce);
    let mut publishers = Vec::new();
    for number in 0..CROWD {
        let publisher = come(&mut rig, &format!("pub-{number}"));
        publishers.push((publisher, Template::new("cost/all", AtLeastOnce, false)));
    }
    publish(&mut rig, &mut publishers, count)
}

fn shared(count: usize) -> u64 {
    let mut rig = Rig::new();
    for number in 0..MEMBERS {
        let name = format!("sub-{number}");
        subscriber(&mut rig, &name, "$share/group/cost/all", AtLeastOnce);
    }
    let publisher = come(&mut rig, "pub");
    let template = Template::new("cost/all", AtLeastOnce, false);
    publish(&mut rig, &mut [(publisher, template)], count)
}

fn kept(count: usize) -> u64 {
    let mut rig = Rig::new();
    let client = rig.open(&packets::connect("sub", true));
    rig.send(client, &packets::subscribe("cost/all", AtLeastOnce));
    let publisher = come(&mut rig, "pub");
    let template = Template::new("cost/all", AtLeastOnce, false);
    publish(&mut rig, &mut [(publisher, template)], count)
}

fn rules(count: usize) -> u64 {
    let others = (0..USERS).map(|user| RuleRow {
        effect: Effect::Allow,
        who: Who::User(format!("user-{user}").into()),
        actions: all(),
        topics: vec![format!("home/{user}/#").into()],
    });
    let own = RuleRow {
        effect: Effect::Allow,
        who: Who::Authenticated,
        actions: all(),
        topics: vec!["cost/{user}/#".into(), "cost/+/value".into()],
    };
    let mut rig = Rig::with_rules(Some(others.chain([own]).collect()));
    pairs(&mut rig, AtMostOnce, count)
}

fn all() -> Actions {
    Actions {
        publish: true,
        subscribe: true,
        retain: true,
    }
}

fn device_topic(number: usize) -> String {
    format!("cost/site-{}/device-{}", number / 100, number % 100)
}

fn set(count: usize) -> u64 {
    set_all(&mut Rig::new(), TOPICS + count)
}

/// Sets retained messages, one topic after the other, and begins anew.
fn set_all(rig: &mut Rig, count: usize) -> u64 {
    let publisher = come(rig, "pub");
    let topics = (0..TOPICS).map(|number| Template::new(&device_topic(number), AtLeastOnce, true));
    publish_each(rig, publisher, topics.collect(), count);
    rig.delivered
}

/// To one topic after the other, and from the first again.
fn publish_each(rig: &mut Rig, publisher: usize, mut topics: Vec<Template>, count: usize) {
    for first in (0..count).step_by(AT_ONCE) {
        rig.put(publisher, |input| {
            for number in first..count.min(first + AT_ONCE) {
                topics[number % TOPICS].put(input);
            }
        });
        rig.settle();
    }
}

fn get(count: usize) -> u64 {
    let mut rig = Rig::new();
    set_all(&mut rig, TOPICS);
    let client = come(&mut rig, "sub");
    for number in 0..count {
        // Spread over all of them.
        let topic = device_topic(number * 389 % TOPICS);
        rig.send(client, &packets::subscribe(&topic, AtMostOnce));
        rig.send(client, &packets::unsubscribe(&topic));
    }
    rig.delivered
}

fn get_all(count: usize) -> u64 {
    let mut rig = Rig::new();
    set_all(&mut rig, TOPICS);
    let client = come(&mut rig, "sub");
    for _ in 0..count {
        rig.send(client, &packets::subscribe("cost/#", AtMostOnce));
        rig.send(client, &packets::unsubscribe("cost/#"));
    }
    rig.delivered
}

/// Sessions that have subscribed and gone; each with what it comes back with.
fn gone(rig: &mut Rig, count: usize) -> Vec<(usize, BytesMut)> {
    let go = |number: usize| {
        let connect = packets::connect(&format!("away-{number}"), true);
        let client = rig.open(&connect);
        rig.send(client, &packets::subscribe("cost/all", AtLeastOnce));
        rig.send(client, &packets::disconnect());
        (client, connect)
    };
    (0..count).map(go).collect()
}

fn away(count: usize) -> u64 {
    let mut rig = Rig::new();
    gone(&mut rig, SUBSCRIBERS);
    let publisher = come(&mut rig, "pub");
    let template = Template::new("cost/all", AtLeastOnce, false);
    publish(&mut rig, &mut [(publisher, template)], count)
}

fn offline(count: usize) -> u64 {
    let mut rig = Rig::new();
    let away = gone(&mut rig, AWAY);
    let publisher = come(&mut rig, "pub");
    let template = Template::new("cost/all", AtLeastOnce, false);
    publish(&mut rig, &mut [(publisher, template)], count);
    for (client, connect) in away {
        rig.open_again(client, &connect);
    }
    rig.delivered
}

fn connect(count: usize) -> u64 {
    let mut rig = Rig::new();
    let client = come(&mut rig, "client");
    for number in 0..count {
        rig.send(client, &packets::disconnect());
        rig.open_again(
            client,
            &packets::connect(&format!("client-{number}"), false),
        );
        let filter = format!("cost/connect/{number}");
        rig.send(client, &packets::subscribe(&filter, AtLeastOnce));
    }
    rig.delivered
}
