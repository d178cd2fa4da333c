"""The will of a client with a clean session is published although the broker itself was killed."""

import argparse
import sys

from client import Client

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
options = parser.parse_args()

observer = Client("observer", persistent=True).connect(options.port).subscribe("presence/+", qos=1)
dying = Client("dying", will=("presence/dying", "offline")).connect(options.port)
dying.stand_still()
print("connected", flush=True)
assert sys.stdin.readline().strip() == "restarted"
observer.expect("presence/dying", "offline")
print("done", flush=True)
observer.disconnect()
