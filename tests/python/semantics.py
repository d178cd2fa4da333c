"""One function for each thing that clients rely on; the first argument names it."""

import argparse

from client import Client

PORT = 0


def client(client_id, **more):
    return Client(client_id, **more).connect(PORT)


def a_will_is_published_when_the_connection_breaks():
    observer = client("observer").subscribe("presence/+")
    client("dying", will=("presence/dying", "offline")).break_off()
    observer.expect("presence/dying", "offline", qos=1, retain=False)


def a_will_is_dropped_by_a_proper_disconnect():
    observer = client("observer").subscribe("presence/+")
    client("leaving", will=("presence/leaving", "offline")).disconnect()
    observer.expect_nothing_before_marker(client("publisher"), "presence/marker")


def an_empty_retained_message_clears_the_topic():
    publisher = client("publisher")
    publisher.publish("state/kept", "1", retain=True)
    publisher.publish("state/cleared", "1", retain=True)
    publisher.publish("state/cleared", "", retain=True)
    newcomer = client("newcomer").subscribe("state/#")
    newcomer.expect("state/kept", "1", retain=True)
    newcomer.expect_nothing_before_marker(publisher, "state/marker")


def wildcards_at_the_start_do_not_match_dollar_topics():
    publisher = client("publisher")
    everything, dollar = client("everything").subscribe("#"), client("dollar").subscribe("$test/#")
    publisher.publish("$test/it", "hidden")
    dollar.expect("$test/it", "hidden")
    everything.expect_nothing_before_marker(publisher, "marker")


def messages_pass_between_both_versions():
    old, new = client("old", version=4).subscribe("mixed/+"), client("new", version=5).subscribe("mixed/+")
    old.publish("mixed/old", "from 3.1.1")
    new.publish("mixed/new", "from 5.0")
    for receiver in (old, new):
        receiver.expect("mixed/old", "from 3.1.1", qos=1)
        receiver.expect("mixed/new", "from 5.0", qos=1)


def qos_is_the_lower_of_publish_and_subscription():
    publisher = client("publisher")
    for granted in (0, 1, 2):
        receiver = client(f"receiver-{granted}").subscribe("level", qos=granted)
        for sent in (0, 1, 2):
            publisher.publish("level", str(sent), qos=sent)
            receiver.expect("level", str(sent), qos=min(sent, granted))
        receiver.disconnect()


def overlapping_subscriptions_and_unsubscribe():
    publisher, receiver = client("publisher"), client("receiver")
    receiver.subscribe("a/+", qos=0).subscribe("a/b", qos=1)
    receiver.unsubscribe("a/b")
    publisher.publish("a/b", "once")
    receiver.expect("a/b", "once", qos=0)
    receiver.unsubscribe("a/+")
    receiver.subscribe("marker")
    publisher.publish("a/b", "never")
    receiver.expect_nothing_before_marker(publisher, "marker")


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("name")
options = parser.parse_args()
PORT = options.port
globals()[options.name]()
