"""Running Nix: for this user whatever the store allows, apart from their settings, and ended."""

from __future__ import annotations

import logging
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from fdnix.process_group import mortal_group, signal_group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from fdnix.download import Progress

logger = logging.getLogger(__name__)

# How a store that this user may not write to, or a daemon that is not there, shows itself: among
# others as "opening lock file '/nix/var/nix/db/big-lock': Permission denied". The last one is
# what the store that stands in for it says when nixpkgs has first to be downloaded into a store.
_STORE_REFUSED = re.compile(
    r"Permission denied|Operation not permitted|Read-only file system"
    r"|cannot connect to (?:socket|daemon)|not supported by store 'dummy"
)
# Enough for a line on every package of nixpkgs.
_STDERR_KEPT = 16 << 20
_ASIDE_SECONDS = 60
_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended, the end of what it said, and the environment it ran in."""

    returncode: int
    stderr: str
    env: dict[str, str]


@dataclass(frozen=True)
class Evaluator:
    """Where commands write their output, what they have to themselves, and until when."""

    output: BinaryIO
    scratch: Path
    """A directory that is removed after the last command."""
    deadline: float
    progress: Progress
    downloads: bool
    """Whether nixpkgs has to be downloaded into a store first."""

    def run(self, command: list[str], env: dict[str, str]) -> Outcome:
        """Run a command, and again without the machine's store where that refuses this user.

        Evaluating writes nothing to a store, so the one that holds nothing (`dummy://`) gives the
        same output. A nixpkgs that has to be downloaded needs a real one, which is made in
        `scratch`. A NIX_REMOTE in `env` is left alone.

        Raises:
            TimeoutError: The deadline (of `time.monotonic`) passed; the command was ended.
        """
        outcome = self._run(command, env)
        if "NIX_REMOTE" in env:
            return outcome
        store = str(self.scratch)
        # Where the store is not this user's to write, the home directory may not be either.
        substitutes = [{"NIX_REMOTE": f"local?root={store}", "XDG_CACHE_HOME": store}]
        if not self.downloads:
            substitutes.insert(0, {"NIX_REMOTE": "dummy://"})
        refusals = ""
        for substitute in substitutes:
            if outcome.returncode == 0 or not _STORE_REFUSED.search(outcome.stderr):
                break
            refusals += outcome.stderr
            remote = substitute["NIX_REMOTE"]
            logger.info("the Nix store cannot be used, evaluating with NIX_REMOTE=%s", remote)
            outcome = self._run(command, env | substitute)
        if outcome.returncode == 0:
            return outcome
        return replace(outcome, stderr=refusals + outcome.stderr)

    def _run(self, command: list[str], env: dict[str, str]) -> Outcome:
        return _run(command, env, self.output, self.deadline, self.progress)


def apart_from_the_user() -> dict[str, str]:
    """An environment in which nixpkgs finds no configuration, overlay or permission of the user's.

    nixpkgs looks for them in `NIXPKGS_…` (pkgs/stdenv/generic/check-meta.nix), in `HOME` and in
    `NIX_PATH` (pkgs/top-level/impure.nix and impure-overlays.nix). What Nix itself has in the
    user's home, such as access tokens and what was downloaded before, stays theirs.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("NIXPKGS_")}
    if home := env.get("HOME"):
        for name, place in _PLACES.items():
            env.setdefault(name, f"{home}/{place}")
    return env | {"HOME": _NO_HOME, "NIX_PATH": ""}


# It does not exist and, unlike most, cannot be made: nix-env would put `.nix-defexpr` into it. Nix
# refuses to go on with a home that it may not look at or that is another user's, unless the user
# has a home in passwd, which those of containers often have not (getHome in its libutil).
_NO_HOME = "/proc/no-home"
_PLACES = {
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}


def _run(
    command: list[str], env: dict[str, str], output: BinaryIO, deadline: float, progress: Progress
) -> Outcome:
    """Run `command` with its standard output in `output`, and its end awaited.

    Raises:
        TimeoutError: The deadline (of `time.monotonic`) passed; the command was ended.
    """
    with (
        _stop_signals() as stops,
        selectors.DefaultSelector() as selector,
        mortal_group() as group,
        subprocess.Popen(  # noqa: S603 - no shell, and paths are absolute
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=group,
        ) as process,
    ):
        output.seek(0)
        output.truncate()
        progress(0, None)
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            assert process.stderr is not None  # noqa: S101
            stderr = bytearray()
            stdout = process.stdout.fileno()
            streams = {stdout, process.stderr.fileno()}
            for source in (*streams, stops):
                selector.register(source, selectors.EVENT_READ)
            while streams:
                for key, _ in selector.select(_left(deadline)):
                    if key.fd == stops:
                        _raise_stop(stops)
                    chunk = os.read(key.fd, 1 << 16)
                    if not chunk:
                        selector.unregister(key.fd)
                        streams.remove(key.fd)
                    elif key.fd == stdout:
                        output.write(chunk)
                        progress(output.tell(), None)
                    else:
                        stderr += chunk
                        if len(stderr) > 2 * _STDERR_KEPT:
                            del stderr[:-_STDERR_KEPT]
            returncode = process.wait(_left(deadline))
        except subprocess.TimeoutExpired as error:
            _end(process, group)
            raise TimeoutError from error
        except BaseException:
            _end(process, group)
            raise
    return Outcome(returncode, stderr.decode(errors="replace"), env)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _end(process: subprocess.Popen[bytes], group: int) -> None:
    """End the process and its group: kindly, then not."""
    try:
        with suppress(subprocess.TimeoutExpired):
            signal_group(group, signal.SIGTERM)
            process.wait(_GRACE_SECONDS)
    finally:
        signal_group(group, signal.SIGKILL)
        process.wait()


@contextmanager
def _stop_signals() -> Iterator[int]:
    """Yield a file descriptor from which the numbers of signals that ask to stop can be read.

    A handler that raises could do so while the child is being started, and nobody would end it.
    Only signals that still have Python's own handling are taken, and only in the main thread,
    where alone handlers can be set. One that nobody read is raised at the end.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    handlers: dict[signal.Signals, object] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    taken = (
        {n: signal.getsignal(n) for n, usual in handlers.items() if signal.getsignal(n) is usual}
        if threading.current_thread() is threading.main_thread()
        else {}
    )

    def note(number: int, _frame: FrameType | None) -> None:
        os.write(writer, bytes([number]))

    for number in taken:
        signal.signal(number, note)
    try:
        yield reader
        _raise_stop(reader)
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _raise_stop(reader: int) -> None:
    """Raise what stands for the signal in `reader`, if there is one."""
    with suppress(BlockingIOError):
        number = os.read(reader, 1)[0]
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def aside(command: list[str], env: dict[str, str] | None = None) -> str | None:
    """Return what a quick command prints, or None where it fails; it needs no store by default."""
    with suppress(OSError, subprocess.SubprocessError), mortal_group() as group:
        done = subprocess.run(  # noqa: S603
            command,
            env={"NIX_REMOTE": "dummy://"} | os.environ if env is None else env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_ASIDE_SECONDS,
            text=True,
            errors="replace",
            process_group=group,
        )
        return done.stdout.strip() or None
    return None
