"""One function for each thing that clients rely on; the first argument names it."""

import argparse

from client import Client

PORT = 0


def client(client_id, **more):
    return Client(client_id, **more).connect(PORT)


def messages_pass_between_both_versions():
    old, new = client("old", version=4).subscribe("mixed/+"), client("new", version=5).subscribe("mixed/+")
    old.publish("mixed/old", "from 3.1.1")
    new.publish("mixed/new", "from 5.0")
    for receiver in (old, new):
        receiver.expect("mixed/old", "from 3.1.1", qos=1)
        receiver.expect("mixed/new", "from 5.0", qos=1)


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
