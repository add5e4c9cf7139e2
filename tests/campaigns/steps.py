"""The steps of a campaign: they say how far it is, and end early when it is asked to stop."""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS_BETWEEN = 30


def steps(count: int) -> Iterator[int]:
    """Numbers from 0 to `count`, up to where SIGINT or SIGTERM comes, so that what a campaign found
    until then can still be told; how far it is goes to standard error.
    """
    stopped: list[int] = []
    former = {
        asked: signal.signal(asked, lambda number, _: stopped.append(number))
        for asked in (signal.SIGINT, signal.SIGTERM)
    }
    said = time.monotonic()
    try:
        for number in range(count):
            if stopped:
                sys.stderr.write(f"stopped after {number:,} of {count:,}\n")
                break
            if time.monotonic() - said > _SECONDS_BETWEEN:
                said = time.monotonic()
                sys.stderr.write(f"{number:,} of {count:,}\n")
            yield number
    finally:
        for asked, handler in former.items():
            signal.signal(asked, handler)
