//! What is remembered of earlier look-ups never differs from what a search finds.

use ebbtide_protocol::QoS;

use super::*;
use crate::{Limits, shared::scramble};

const TOPICS: [&str; 4] = ["a", "a/b", "a/b/c", "$x/b"];
const FILTERS: [&str; 7] = ["a", "a/b", "a/+", "+/b", "a/#", "#", "$x/#"];
const SESSIONS: u64 = 5;
/// A group has the number of its member and this.
const GROUPS_BEGIN: u64 = 100;

/// Numbers of no pattern, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 += 1;
        scramble(self.0) % limit
    }
}

fn subscriber(session: u64, random: &mut Random) -> Subscriber {
    let mailbox = Mailbox::new(Incarnation(session), "c".into(), true, &Limits::default());
    Subscriber {
        mailbox: Arc::new(mailbox),
        options: SubscriptionOptions {
            qos: [QoS::AtMostOnce, QoS::AtLeastOnce][random.below(2) as usize],
            no_local: random.below(2) == 0,
            ..SubscriptionOptions::default()
        },
        identifier: Some(random.below(100) as u32 + 1),
    }
}

/// Session or group, publisher, and what it is to get of it.
type Told = (u64, u64, Option<(QoS, Vec<u32>)>);

/// All that can be told from outside.
fn told(matches: &Matches) -> Vec<Told> {
    let mut told = Vec::new();
    for matched in &matches.sessions {
        for publisher in 0..=SESSIONS {
            let wish = matched.wish(Incarnation(publisher));
            let wish = wish.map(|wish| (wish.qos, wish.subscription_identifiers.to_vec()));
            told.push((matched.mailbox.session.0, publisher, wish));
        }
    }
    let groups = matches.groups.iter();
    told.extend(groups.map(|group| (group.number.0, 0, None)));
    told
}

#[test]
fn each_change_is_seen_by_the_next_look_up() {
    let mut random = Random(0);
    let mut index = Index::default();
    let mut remembered = 0;
    for _ in 0..5_000 {
        let filter = FILTERS[random.below(FILTERS.len() as u64) as usize];
        let session = random.below(SESSIONS) + 1;
        let shared = TopicFilter::new(format!("$share/g/{filter}")).expect("a filter");
        let group = index.group(&shared).cloned();
        match (random.below(4), group) {
            (0 | 1, _) => {
                index.insert(filter, subscriber(session, &mut random));
            }
            (2, _) => {
                index.remove(filter, Incarnation(session));
            }
            (_, Some(group)) => {
                let member = Incarnation(group.number.0 - GROUPS_BEGIN);
                index.leave(&group, member).expect("its last member");
            }
            (_, None) => {
                let number = Incarnation(GROUPS_BEGIN + session);
                let group = Arc::new(Group::new(number, shared, &Limits::default()));
                index.insert_group(&group);
                index.join(&group, subscriber(session, &mut random));
            }
        }
        for topic in TOPICS {
            let found = told(&index.find(topic).0);
            for _ in 0..3 {
                assert_eq!(told(&index.matches(topic).0), found, "{topic}");
            }
            remembered += usize::from(matches!(
                index.recent.look(Key::of(topic), topic),
                Look::Remembered(_)
            ));
        }
    }
    assert!(
        remembered > 19_000,
        "only {remembered} of 20,000 were remembered"
    );
}
