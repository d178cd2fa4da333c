"""Drives the clients of one library as told: orders come as lines of JSON, each is answered by one.

An order is {"client": NAME, "do": METHOD, "with": {...}}; the answer {"ok": VALUE} or {"error": TEXT}. What the methods are
is in `paho_client.py`; values have the shape of `tests/end_to_end/clients/client.rs`.
"""

import argparse
import importlib
import json
import sys

parser = argparse.ArgumentParser()
parser.add_argument("library", choices=["paho", "aiomqtt"])
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--version", type=int, choices=[4, 5], required=True)
options = parser.parse_args()
module = importlib.import_module(f"{options.library}_client")
clients = {}
for line in sys.stdin:
    order = json.loads(line)
    name = order["client"]
    if name not in clients:
        clients[name] = module.Client(options.version, options.port)
    try:
        answer = {"ok": getattr(clients[name], order["do"])(**order["with"])}
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
for client in clients.values():
    client.leave()
