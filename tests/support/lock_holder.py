"""Holds a lock in S3 until its input ends or it is asked to stop, and says once it has it.

`python -m support.lock_holder BUCKET KEY SECONDS`
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

from fdnix.artifacts.lock import locked
from fdnix.artifacts.transfer import Location
from fdnix.aws import aws_client
from support.aws import REGION


def main(bucket: str, key: str, seconds: str) -> None:
    """Hold the lock."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        locked(aws_client("s3", REGION), Location(bucket, key), seconds=float(seconds)),
    ):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
