//! What clients that speak 5.0 must see besides.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::behaviours::{at_qos, expect};
use super::client::{Message, Options, Wish};
use super::stage::Stage;

const NO_MATCHING_SUBSCRIBERS: u8 = 0x10;
const NOT_AUTHORIZED: u8 = 0x87;

pub fn properties_of_a_message(stage: &mut Stage) -> Result<()> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let message = Message {
        user_properties: vec![pair("b", "1"), pair("b", "2"), pair("a", "ä")],
        content_type: Some("text/plain".to_owned()),
        response_topic: Some("properties/answers".to_owned()),
        correlation_data: Some("request 7".to_owned()),
        ..Message::new("properties/it", "it", 1)
    };
    let mut receiver = stage.connected(&Options::clean("properties-receiver"))?;
    receiver.subscribe("properties/it", at_qos(1))?;
    let mut sender = stage.connected(&Options::clean("properties-sender"))?;
    sender.publish(&message)?;
    let got = receiver.next()?;
    ensure!(got == message, "{got:?}");
    Ok(())
}

pub fn request_and_response(stage: &mut Stage) -> Result<()> {
    let mut service = stage.connected(&Options::clean("service"))?;
    service.subscribe("requests", at_qos(1))?;
    let mut asking = stage.connected(&Options::clean("asking"))?;
    asking.request(&Message {
        response_topic: Some("answers/asking".to_owned()),
        correlation_data: Some("first".to_owned()),
        ..Message::new("requests", "how much?", 1)
    })?;
    let request = expect(&mut *service, "requests", "how much?")?;
    let to = request.response_topic.unwrap_or_default();
    service.publish(&Message {
        correlation_data: request.correlation_data,
        ..Message::new(&to, "that much", 1)
    })?;
    let answer = asking.next()?;
    ensure!(answer.payload == "that much", "{answer:?}");
    ensure!(
        answer.correlation_data.as_deref() == Some("first"),
        "{answer:?}"
    );
    Ok(())
}

pub fn message_expiry_is_counted_down(stage: &mut Stage) -> Result<()> {
    let mut sender = stage.connected(&Options::clean("expiry-sender"))?;
    for (topic, seconds) in [("expiry/long", 100), ("expiry/short", 1)] {
        let message = Message {
            message_expiry: Some(seconds),
            ..Message::new(topic, "it", 1).retained()
        };
        sender.publish(&message)?;
    }
    thread::sleep(Duration::from_millis(1_200));
    let mut newcomer = stage.connected(&Options::clean("expiry-newcomer"))?;
    newcomer.subscribe("expiry/+", at_qos(1))?;
    let got = expect(&mut *newcomer, "expiry/long", "it")?;
    let left = got.message_expiry.unwrap_or(u32::MAX);
    ensure!((50..100).contains(&left), "{got:?}");
    sender.publish(&Message::new("expiry/marker", "it", 1))?;
    expect(&mut *newcomer, "expiry/marker", "it").map(drop)
}

pub fn subscription_identifiers(stage: &mut Stage) -> Result<()> {
    let mut client = stage.connected(&Options::clean("identified"))?;
    for (filter, identifier) in [("ids/+", 7), ("ids/it", 300_000)] {
        let wish = Wish {
            identifier,
            ..at_qos(1)
        };
        client.subscribe(filter, wish)?;
    }
    client.publish(&Message::new("ids/it", "it", 1))?;
    let mut got = expect(&mut *client, "ids/it", "it")?;
    got.subscription_identifiers.sort_unstable();
    ensure!(got.subscription_identifiers == [7, 300_000], "{got:?}");
    client.publish(&Message::new("ids/other", "it", 1))?;
    let got = expect(&mut *client, "ids/other", "it")?;
    ensure!(got.subscription_identifiers == [7], "{got:?}");
    Ok(())
}

pub fn topic_alias_to_the_broker(stage: &mut Stage) -> Result<()> {
    let mut receiver = stage.connected(&Options::clean("alias-receiver"))?;
    receiver.subscribe("alias/+", at_qos(1))?;
    let mut sender = stage.connected(&Options::clean("alias-sender"))?;
    for (topic, payload) in [("alias/a", "1"), ("", "2"), ("alias/b", "3"), ("", "4")] {
        let message = Message {
            topic_alias: Some(1),
            ..Message::new(topic, payload, 1)
        };
        sender.publish(&message)?;
    }
    for (topic, payload) in [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")] {
        expect(&mut *receiver, &format!("alias/{topic}"), payload)?;
    }
    Ok(())
}

pub fn topic_alias_from_the_broker(stage: &mut Stage) -> Result<()> {
    let mut receiver = stage.connected(&Options {
        topic_alias_maximum: 2,
        ..Options::clean("aliased")
    })?;
    receiver.subscribe("aliased/+", at_qos(1))?;
    let mut sender = stage.connected(&Options::clean("aliased-sender"))?;
    let topics = ["a", "b", "a", "b", "c", "a", "c"].map(|name| format!("aliased/{name}"));
    for topic in &topics {
        sender.publish(&Message::new(topic, "it", 1))?;
    }
    for topic in &topics {
        expect(&mut *receiver, topic, "it")?;
    }
    Ok(())
}

pub fn no_local(stage: &mut Stage) -> Result<()> {
    let mut client = stage.connected(&Options::clean("not-mine"))?;
    let wish = Wish {
        no_local: true,
        ..at_qos(1)
    };
    client.subscribe("local", wish)?;
    client.publish(&Message::new("local", "my own", 1))?;
    let mut other = stage.connected(&Options::clean("not-mine-other"))?;
    other.publish(&Message::new("local", "of another", 1))?;
    expect(&mut *client, "local", "of another").map(drop)
}

pub fn retain_as_published(stage: &mut Stage) -> Result<()> {
    let mut client = stage.connected(&Options::clean("as-published"))?;
    let wish = Wish {
        retain_as_published: true,
        ..at_qos(1)
    };
    client.subscribe("flag", wish)?;
    let mut sender = stage.connected(&Options::clean("as-published-sender"))?;
    sender.publish(&Message::new("flag", "kept", 1).retained())?;
    sender.publish(&Message::new("flag", "not kept", 1))?;
    ensure!(expect(&mut *client, "flag", "kept")?.retain);
    ensure!(!expect(&mut *client, "flag", "not kept")?.retain);
    Ok(())
}

pub fn reason_codes(stage: &mut Stage) -> Result<()> {
    let mut client = stage.connected(&Options::clean("reasons"))?;
    for (topic, expected) in [
        ("nobody/there", NO_MATCHING_SUBSCRIBERS),
        ("$SYS/mine", NOT_AUTHORIZED),
    ] {
        let reason = client.publish(&Message::new(topic, "it", 1))?;
        ensure!(reason == Some(expected), "{topic}: {reason:?}");
    }
    // And it goes on.
    client.subscribe("reasons", at_qos(1))?;
    client.publish(&Message::new("reasons", "it", 1))?;
    expect(&mut *client, "reasons", "it").map(drop)
}

pub fn session_expiry(stage: &mut Stage) -> Result<()> {
    let mut client = stage.client("expiring");
    for (session_expiry, stays) in [(0, false), (3600, true)] {
        let options = Options {
            session_expiry,
            ..Options::persistent("expiring")
        };
        client.connect(&options)?;
        client.subscribe("expiring", at_qos(1))?;
        client.disconnect()?;
        let connected = client.connect(&options)?;
        ensure!(connected.session_present == Some(stays), "{connected:?}");
        client.disconnect()?;
    }
    Ok(())
}

pub fn assigned_client_id(stage: &mut Stage) -> Result<()> {
    let mut client = stage.client("nameless");
    let connected = client.connect(&Options::clean(""))?;
    let assigned = connected.assigned_id.unwrap_or_default();
    ensure!(!assigned.is_empty(), "no name");
    client.disconnect()?;
    // It is good for coming back.
    client.connect(&Options::persistent(&assigned))?;
    client.disconnect()
}
