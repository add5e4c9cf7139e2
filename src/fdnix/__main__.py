"""`python -m fdnix` is the command `fdnix`."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command that the process was started with."""
    _open_standard_streams()
    # While the command line is imported, and once the command has ended, there is nobody to tell
    # of Ctrl-C, and nothing to tidy up.
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeds:
        signal.signal(signal.SIGINT, _stop)
    from fdnix.cli import main as run  # noqa: PLC0415

    try:
        if heeds:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:  # before the command began to heed it, or while it told of its end
        _stop()
    finally:
        if heeds:
            signal.signal(signal.SIGINT, _stop)


def _stop(*_: object) -> NoReturn:
    os._exit(128 + signal.SIGINT)


def _open_standard_streams() -> None:
    """Have standard streams that are closed lead nowhere.

    The first files that are opened would have their numbers, and be written to in their place.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # has the lowest number that is free: this one
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w"))


if __name__ == "__main__":
    main()
