"""Publishes one payload, or the numbers 0 … count-1, at QoS 1 and waits for every acknowledgement."""

import argparse

from client import Client

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--topic", required=True)
parser.add_argument("--payload")
parser.add_argument("--count", type=int, default=0)
parser.add_argument("--retain", action="store_true")
options = parser.parse_args()

client = Client("publisher").connect(options.port)
payloads = [options.payload] if options.payload is not None else [str(number) for number in range(options.count)]
client.wait([client.send(options.topic, payload, qos=1, retain=options.retain) for payload in payloads])
client.disconnect()
