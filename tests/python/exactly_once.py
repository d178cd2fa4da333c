"""QoS 2 from one client to another while their connections break: every number arrives once, in order."""

import argparse
import time

from client import DEADLINE_S, Client

COUNT = 120
# How often it asks for a break, in messages.
EVERY = 20

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
options = parser.parse_args()

subscriber = Client("subscriber", persistent=True).connect(options.port).subscribe("once/it", qos=2)
publisher = Client("publisher", persistent=True).connect(options.port)
mids, connections = [], publisher.connections
for number in range(COUNT):
    # On a new connection paho may send what is new before it repeats what is old. Order is ours to test only when it
    # does not: so what is old goes first.
    assert publisher.up.wait(DEADLINE_S), "no connection"
    if publisher.connections != connections:
        publisher.wait(mids)
        connections = publisher.connections
    mids.append(publisher.send("once/it", str(number), qos=2))
    if number % EVERY == EVERY // 2:
        print("break", flush=True)
    time.sleep(0.005)
publisher.wait(mids)
got = [int(subscriber.take().payload) for _ in range(COUNT)]
assert got == list(range(COUNT)), f"lost, repeated or out of order: {got}"
# One more, so that a late repetition would come before it.
publisher.publish("once/it", "last", qos=2)
subscriber.expect("once/it", "last", qos=2)
assert subscriber.connections > 1 and publisher.connections > 1, "no connection was broken"
subscriber.disconnect()
publisher.disconnect()
