"""Asks the HTTP API everything that its own description allows, and much that it does not.

Run by the end-to-end tests: `api.py URL`. What a topic or a cursor may look like is more than a schema says, so whether valid
input is taken is not its question; the other tests ask that.
"""

import pathlib
import sys

from schemathesis.cli import schemathesis

CONFIGURATION = pathlib.Path(__file__).with_name("schemathesis.toml")

if __name__ == "__main__":
    sys.argv = [
        "schemathesis",
        "--config-file",
        str(CONFIGURATION),
        "run",
        f"{sys.argv[1]}/api/v1/openapi.json",
        # It never ends.
        "--exclude-path=/api/v1/events",
        "--exclude-checks=positive_data_acceptance",
        # As the broker wants it of whatever changes something.
        "--header=content-type: application/json",
        "--phases=coverage,fuzzing",
        "--max-examples=20",
        "--generation-deterministic",
        "--no-color",
    ]
    schemathesis()
