"""A persistent session: `subscribe` and leave; `collect`: return without subscribing and get all in order."""

import argparse

from client import Client

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--mode", choices=["subscribe", "collect"], required=True)
parser.add_argument("--version", type=int, choices=[4, 5], required=True)
parser.add_argument("--count", type=int, required=True)
options = parser.parse_args()

client = Client("away", version=options.version, persistent=True).connect(options.port)
if options.mode == "subscribe":
    assert not client.session_present, "a first connection has no session"
    client.subscribe("backlog/+", qos=1)
else:
    assert client.session_present, "the session is gone"
    got = [int(client.take().payload) for _ in range(options.count)]
    assert got == list(range(options.count)), f"out of order or repeated: {got[:20]} …"
client.disconnect()
