"""`python -m fdnix` is the command `fdnix`."""

from __future__ import annotations

import os
import signal
from typing import NoReturn


def main() -> NoReturn:
    """Run the command that the process was started with."""
    # While the command line is imported there is nobody to tell of Ctrl-C, and nothing to tidy up.
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeds:
        signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
    from fdnix.cli import main as run  # noqa: PLC0415

    if heeds:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
