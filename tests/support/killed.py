"""Runs fdnix and kills it with SIGKILL at the start of a chosen function.

`python -m support.killed MODULE:FUNCTION ARGUMENTS…`, where MODULE is the one that calls it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

from fdnix.cli import main


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    caller = importlib.import_module(module)
    if not callable(getattr(caller, function)):
        raise TypeError(function)
    setattr(caller, function, _die)
    main(sys.argv[2:])
