//! Who takes part in a run, drawn by its seed.
//!
//! Two take part in every run: `auditor`, who stays subscribed to everything, and a publisher whose session never ends.
//! So every message that was accepted has a witness.

use ebbtide_protocol::{QoS, Version};

use super::random::Random;

const FOREVER: u32 = u32::MAX;

/// What a client is like.
pub struct Profile {
    pub name: String,
    pub version: Version,
    /// Session Expiry Interval; 0: its session ends with the connection.
    pub expiry_s: u32,
    pub keep_alive_s: u16,
    pub publishes: bool,
    /// Subscribed to as soon as it is in, and never ended.
    pub always: &'static [&'static str],
    /// Subscribed to, and ended, now and then.
    pub sometimes: &'static [&'static str],
    /// What QoS it asks for.
    pub granted: &'static [QoS],
    /// It asks several times at once.
    pub repeats: bool,
    pub no_local: bool,
    pub has_will: bool,
    /// It begins anew now and then, although it has a session.
    pub starts_clean: bool,
    /// It changes the Session Expiry Interval when it disconnects.
    pub changes_expiry: bool,
}

impl Profile {
    /// Whether the session that it finds after a CONNECT without an answer may be another than the one it had.
    pub fn may_be_unsure(&self) -> bool {
        self.expiry_s != FOREVER || self.starts_clean || self.changes_expiry
    }
}

const ANY: &[QoS] = &[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const KEPT: &[QoS] = &[QoS::AtLeastOnce, QoS::ExactlyOnce];

/// They overlap.
const FILTERS: &[&str] = &[
    "#",
    "event/#",
    "event/+/0",
    "event/0/#",
    "state/#",
    "state/1",
    "+/1",
    "job/#",
    "will/+",
];
const PAGE: &[&str] = &["state/#", "#"];
const GROUP: &[&str] = &["$share/workers/job/#"];
/// Of each message a copy as a member, and one of its own.
const GROUP_AND_OWN: &[&str] = &["$share/workers/job/#", "job/#"];

pub fn draw(random: &mut Random) -> Vec<Profile> {
    let mut all = vec![
        Profile {
            always: &["#"],
            granted: if random.chance(75) {
                &[QoS::ExactlyOnce]
            } else {
                &[QoS::AtLeastOnce]
            },
            ..of("auditor", FOREVER, random)
        },
        Profile {
            publishes: true,
            ..of("lasting", FOREVER, random)
        },
    ];
    // The auditor has to tell messages without payload apart.
    all[0].version = Version::V5;
    if random.chance(70) {
        all.push(Profile {
            publishes: true,
            version: Version::V3_1_1,
            ..of("old", FOREVER, random)
        });
    }
    if random.chance(60) {
        all.push(Profile {
            publishes: true,
            sometimes: if random.chance(50) { FILTERS } else { &[] },
            no_local: random.chance(50),
            ..of("fleeting", 0, random)
        });
    }
    if random.chance(50) {
        // It asks for what is retained again and again, as pages do.
        let page = of("page", *random.pick(&[0, 0, FOREVER]), random);
        all.push(Profile {
            version: Version::V5,
            sometimes: PAGE,
            repeats: true,
            granted: ANY,
            ..page
        });
    }
    for at in 0..random.below(4) {
        let expiry_s = *random.pick(&[FOREVER, FOREVER, 20, 5, 0]);
        all.push(Profile {
            sometimes: FILTERS,
            granted: if random.chance(50) { KEPT } else { ANY },
            publishes: random.chance(20),
            no_local: random.chance(30),
            has_will: random.chance(30),
            starts_clean: random.chance(30),
            changes_expiry: random.chance(40),
            ..of(&format!("reader{at}"), expiry_s, random)
        });
    }
    if random.chance(50) {
        for at in 0..2 + random.below(2) {
            let mut worker = of(&format!("worker{at}"), FOREVER, random);
            let filters = match random.chance(50) {
                true => GROUP_AND_OWN,
                false => GROUP,
            };
            if filters.len() > 1 {
                // It tells the copies apart by their identifiers.
                worker.version = Version::V5;
            }
            all.push(Profile {
                always: if at == 0 { filters } else { &[] },
                sometimes: if at == 0 { &[] } else { filters },
                granted: KEPT,
                ..worker
            });
        }
        if random.chance(40) {
            all.push(Profile {
                sometimes: GROUP,
                // What a member whose session ends has got at QoS 2 is lost with it.
                granted: &[QoS::AtLeastOnce],
                ..of("helper", 0, random)
            });
        }
    }
    if random.chance(60) {
        for at in 0..1 + random.below(2) {
            let expiry_s = *random.pick(&[FOREVER, 10, 2, 0, 0]);
            all.push(Profile {
                has_will: true,
                starts_clean: random.chance(30),
                changes_expiry: random.chance(30),
                ..of(&format!("present{at}"), expiry_s, random)
            });
        }
    }
    all
}

fn of(name: &str, expiry_s: u32, random: &mut Random) -> Profile {
    let version = *random.pick(&[Version::V5, Version::V5, Version::V3_1_1]);
    Profile {
        name: name.to_owned(),
        version,
        // Before 5.0 a session that is kept never ends.
        expiry_s: if version == Version::V5 || expiry_s == 0 {
            expiry_s
        } else {
            FOREVER
        },
        keep_alive_s: *random.pick(&[0, 3, 3, 8]),
        publishes: false,
        always: &[],
        sometimes: &[],
        granted: KEPT,
        repeats: false,
        no_local: false,
        has_will: false,
        starts_clean: false,
        changes_expiry: false,
    }
}
