//! Deadlines: what is left of them travels as the Message Expiry Interval (section 3.3.2.3.3).

use super::*;

fn until(deadline: Millis) -> Delivery {
    Delivery {
        deadline: Some(deadline),
        ..Delivery::default()
    }
}

fn resumed(version: Version) -> Script {
    let mut script = Script::new(durable(version));
    script.accept(true);
    script
}

/// The Message Expiry Intervals of what leaves.
fn intervals(script: &mut Script) -> Vec<Option<u32>> {
    let mut intervals = Vec::new();
    loop {
        while let Some(packet) = script.client.poll_packet(script.now) {
            if let Packet::Publish(publish) = packet {
                intervals.push(publish.properties.message_expiry_interval);
            }
        }
        let Some((ticket, _)) = script.batch() else {
            return intervals;
        };
        script.client.handle_committed(ticket);
    }
}

#[test]
fn the_interval_is_what_is_left_at_each_sending() {
    let mut script = resumed(Version::V5);
    script.publish_with("a", QoS::AtLeastOnce, until(60_000));
    script.publish_with("b", QoS::AtMostOnce, until(2_001));
    assert_eq!(intervals(&mut script), [Some(3), Some(60)]);
    script.cut();
    script.now = 50_500;
    script.accept(true);
    assert_eq!(intervals(&mut script), [Some(10)]);
}

#[test]
fn a_shorter_lifetime_of_the_message_stays() {
    let mut script = resumed(Version::V5);
    for own_s in [5, 500] {
        let mut outgoing = message("a", QoS::AtLeastOnce);
        outgoing.properties.message_expiry_interval = Some(own_s);
        let published = script.client.publish_with(outgoing, until(60_000));
        published.expect("there is room");
    }
    assert_eq!(intervals(&mut script), [Some(5), Some(60)]);
}

#[test]
fn what_has_not_left_in_time_never_does() {
    for version in [Version::V5, Version::V3_1_1] {
        let mut script = resumed(version);
        let handle = script.publish_with("a", QoS::AtLeastOnce, until(1_000));
        let hasty = script.publish_with("b", QoS::AtMostOnce, until(1_000));
        script.now = 1_000;
        let (stored, sent) = script.store();
        assert_eq!(stored, ["finished 1 Err(Expired)"]);
        assert_eq!(sent, [""; 0]);
        let expired = [hasty, handle].map(|handle| (handle, Err(Error::Expired)));
        assert_eq!(script.outcomes(), expired);
    }
}

#[test]
fn what_expires_while_its_packet_id_is_stored_does_not_leave_either() {
    let mut script = resumed(Version::V5);
    script.publish_with("a", QoS::AtLeastOnce, until(1_000));
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, _) = script.batch().expect("a batch");
    script.now = 1_000;
    script.client.handle_committed(ticket);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["finished 1 Err(Expired)"]);
    assert_eq!(sent, [""; 0]);
}

/// [MQTT-4.4.0-1]: the server may wait for it. An interval of 0 would mean for ever to some.
#[test]
fn what_has_left_is_sent_again_whatever_the_time() {
    let mut script = resumed(Version::V5);
    script.publish_with("a", QoS::ExactlyOnce, until(1_000));
    assert_eq!(intervals(&mut script), [Some(1)]);
    script.cut();
    script.now = 5_000;
    script.accept(true);
    assert_eq!(intervals(&mut script), [Some(1)]);
}
