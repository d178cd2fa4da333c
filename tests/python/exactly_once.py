"""QoS 2 from one client to another while their connections break: every number arrives once, in order."""

import argparse
import time

from client import Client

COUNT = 100

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
options = parser.parse_args()

subscriber = Client("subscriber", persistent=True).connect(options.port).subscribe("once/it", qos=2)
publisher = Client("publisher", persistent=True).connect(options.port)
print("running", flush=True)
mids = []
for number in range(COUNT):
    mids.append(publisher.send("once/it", str(number), qos=2))
    time.sleep(0.015)
publisher.wait(mids)
got = [int(subscriber.take().payload) for _ in range(COUNT)]
assert got == list(range(COUNT)), f"lost, repeated or out of order: {got}"
# One more, so that a late repetition would come before it.
publisher.publish("once/it", "last", qos=2)
subscriber.expect("once/it", "last", qos=2)
subscriber.disconnect()
publisher.disconnect()
