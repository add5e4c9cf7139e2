"""Calling what reads a file in a process of its own, since DuckDB may crash over a damaged one."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, TypeVar

from fdnix.database.connection import NO_MEMORY
from fdnix.errors import DataError, SettingsError
from fdnix.process_group import mortal_group

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

_CRASHES = {
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSEGV,
    signal.SIGTRAP,
}
# Not forked: another thread of ours may hold a lock, which nobody would let go there.
_ANSWER = (
    "import sys; sys.path[:] = sys.argv[1:]; from fdnix.database.child import answer; answer()"
)


def in_child(path: Path, function: Callable[..., T], *arguments: object) -> T:
    """What `function(*arguments)`, which reads the file at `path`, returns in another process.

    The function is a module's, and what it takes, returns and raises can be pickled.

    Raises:
        DataError: the process crashed.
        SettingsError: somebody ended it; the system does where there is not memory enough.
        Exception: what the function raised.
    """
    with mortal_group() as group:
        done = subprocess.run(  # noqa: S603 - our own Python, without a shell
            [sys.executable, "-c", _ANSWER, *map(str, sys.path)],
            input=pickle.dumps((function, arguments)),
            capture_output=True,
            check=False,
            process_group=group,
        )
    if done.returncode == -signal.SIGKILL:
        raise SettingsError(f"{path}: {NO_MEMORY}")
    if -done.returncode in _CRASHES:
        raise DataError(f"{path}: DuckDB crashed over it; the file is damaged")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise SettingsError(f"{path}: reading it was ended by {name}; start again")
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    error, result = pickle.loads(done.stdout)  # noqa: S301 - from our own process
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def answer() -> None:
    """Call the function that standard input names, and write to standard output what came of it."""
    function, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process
    outcome: tuple[Exception | None, object]
    try:
        outcome = None, function(*arguments)
    except Exception as error:  # noqa: BLE001 - raised again where it was asked for
        outcome = error, None
    sys.stdout.buffer.write(pickle.dumps(outcome))
