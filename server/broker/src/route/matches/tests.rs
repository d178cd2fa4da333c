//! How subscriptions of one session become one delivery.

use ebbtide_protocol::packet::SubscriptionOptions;

use super::*;
use crate::Limits;

fn subscriber(mailbox: &Arc<Mailbox>, qos: QoS, no_local: bool, identifier: u32) -> Subscriber {
    Subscriber {
        mailbox: Arc::clone(mailbox),
        options: SubscriptionOptions {
            qos,
            no_local,
            retain_as_published: no_local,
            ..SubscriptionOptions::default()
        },
        identifier: Some(identifier),
    }
}

fn mailbox(session: u64) -> Arc<Mailbox> {
    let limits = Limits::default();
    Arc::new(Mailbox::new(
        Incarnation(session),
        "c".into(),
        true,
        &limits,
    ))
}

/// [MQTT-3.8.3-3, MQTT-3.3.4-2, MQTT-3.3.4-3, MQTT-3.3.4-4]
#[test]
fn no_local_subscriptions_do_not_count_for_what_a_session_publishes_itself() {
    let (a, b) = (mailbox(1), mailbox(2));
    let of_a = [
        subscriber(&a, QoS::ExactlyOnce, true, 7),
        subscriber(&a, QoS::AtLeastOnce, false, 8),
    ];
    let of_b = subscriber(&b, QoS::AtMostOnce, true, 9);
    let matches = Matches::new(&[&of_a[0], &of_a[1], &of_b], Vec::new());
    let [first, second] = &matches.sessions[..] else {
        panic!("two sessions");
    };
    let wish = |matched: &Matched, publisher| {
        matched.wish(Incarnation(publisher)).map(|wish| {
            let identifiers = wish.subscription_identifiers.to_vec();
            (wish.qos, wish.retain_as_published, identifiers)
        })
    };
    let all = (QoS::ExactlyOnce, true, vec![7, 8]);
    assert_eq!(wish(first, 2), Some(all));
    assert_eq!(wish(first, 1), Some((QoS::AtLeastOnce, false, vec![8])));
    assert_eq!(wish(second, 1), Some((QoS::AtMostOnce, true, vec![9])));
    assert_eq!(wish(second, 2), None);
    assert_eq!(matches.subscriptions, 3);
}
