"""The catalogue as the installed nix-env evaluates it, in `nix-env -qaP --json --meta` form."""

from __future__ import annotations

import json
import logging
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fdnix.errors import SourceError
from fdnix.nixpkgs.sources.source import Fetched, nameless_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from fdnix.nixpkgs.sources.source import Progress, Work

logger = logging.getLogger(__name__)

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|channel:|flake:)", re.IGNORECASE)
_LOOKUP = re.compile(r"<[A-Za-z0-9][A-Za-z0-9._+/-]*>")
_COMMIT = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")
_SUFFIX_COMMIT = re.compile(r"\.([0-9a-f]{7,40})$")

# How a store that this user may not write to, or a daemon that is not there, shows itself: among
# others as "opening lock file '/nix/var/nix/db/big-lock': Permission denied". The last one is
# what the store that stands in for it says when nixpkgs has first to be downloaded into a store.
_STORE_REFUSED = re.compile(
    r"Permission denied|Operation not permitted|Read-only file system"
    r"|cannot connect to (?:socket|daemon)|not supported by store 'dummy"
)
_STDERR_KEPT = 64 * 1024
_MESSAGE_LINES = 15
_ASIDE_SECONDS = 60
_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class NixEnv:
    """The nixpkgs at `nixpkgs_path`; `tarball` is evaluated where Nix finds no `<nixpkgs>`."""

    nixpkgs_path: str
    tarball: str | None = None

    def is_ready(self) -> bool:
        """Tell whether nix-env is installed and `nixpkgs_path` leads to a nixpkgs.

        A URL counts without being asked for; `<nixpkgs>` counts where Nix finds it on this machine.
        """
        if shutil.which("nix-env") is None:
            return False
        path = self.nixpkgs_path
        return bool(_URL.match(path)) or _directory(path) is not None

    @contextmanager
    def fetch(self, work: Work) -> Iterator[Fetched]:
        """Yield the catalogue, evaluated by nix-env.

        The listing is the one the channels publish: nixpkgs' own configuration for it, no aliases,
        no overlays of the user, and packages that are broken, insecure or unfree listed with their
        flags (nix-env only marks them; allowing them would change `meta.available`).

        nix-env and whatever it started are ended when the time is over or this process is told to
        stop.

        Raises:
            SourceError: nix-env is missing, was ended, failed or listed nothing, or there is no
                nixpkgs at `nixpkgs_path`.
        """
        if shutil.which("nix-env") is None:
            raise SourceError(
                "nix-env is not installed (or not on PATH); install Nix, which Debian packages as "
                "nix-bin, or set NIXPKGS_SOURCE=channel to download the catalogue instead"
            )
        nixpkgs_path = self._to_evaluate()
        command = _command(nixpkgs_path)
        deadline = time.monotonic() + work.limits.total
        with (
            nameless_file(work.directory) as (listing, path),
            tempfile.TemporaryDirectory(dir=work.directory, prefix="nix-store-") as store,
        ):
            try:
                outcome = _with_any_store(command, listing, store, deadline, work.progress)
            except TimeoutError as error:
                raise SourceError(
                    f"nix-env had not finished evaluating {nixpkgs_path!r} after "
                    f"{work.limits.total:g} s and was ended; raise NIXPKGS_TIMEOUT, or set "
                    "NIXPKGS_SOURCE=channel"
                ) from error
            _check(outcome, listing, nixpkgs_path)
            yield Fetched(
                path=path,
                source="nix-env",
                revision=_revision(nixpkgs_path, _directory(nixpkgs_path), outcome.env),
                nix_version=_version(),
                warnings=outcome.stderr.strip() or None,
            )

    def _to_evaluate(self) -> str:
        path = self.nixpkgs_path
        missing = path == "<nixpkgs>" and _directory(path) is None
        return self.tarball if missing and self.tarball else path


def _command(nixpkgs_path: str) -> list[str]:
    """Return the nix-env call; a path in it is absolute, so none is taken for an option."""
    if _URL.match(nixpkgs_path):
        file = nixpkgs_path
        root = f"builtins.fetchTarball {_nix_string(nixpkgs_path)}"
    elif _LOOKUP.fullmatch(nixpkgs_path):
        file = root = nixpkgs_path
    else:
        directory = _directory(nixpkgs_path)
        if directory is None:
            raise SourceError(
                f"NIXPKGS_PATH is {nixpkgs_path!r}, where there is no nixpkgs (a directory with "
                "default.nix, or a .nix file); set it to a path, to <nixpkgs> or to a tarball's "
                "URL, or set NIXPKGS_SOURCE=channel"
            )
        file = str(Path(nixpkgs_path).resolve())
        root = f"/. + {_nix_string(str(directory))}"
    return [
        *("nix-env", "--file", file, "--query", "--available"),
        *("--attr-path", "--json", "--meta"),
        *("--arg", "config", _config(root)),
        *("--arg", "overlays", "[ ]"),
    ]


def _config(root: str) -> str:
    """Return a Nix expression for what nixpkgs itself makes packages.json with.

    That is pkgs/top-level/packages-config.nix (used by pkgs/top-level/make-tarball.nix): no
    aliases, and package sets that nix-env would otherwise not descend into, such as R's.
    """
    if root.startswith('builtins.fetchTarball "flake:'):
        return "{ allowAliases = false; }"
    return (
        f'let file = {root} + "/pkgs/top-level/packages-config.nix"; in '
        "(if builtins.pathExists file then import file else { }) // { allowAliases = false; }"
    )


def _nix_string(text: str) -> str:
    # A JSON string is a Nix string but for interpolation and \u escapes.
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")


@dataclass(frozen=True)
class _Outcome:
    returncode: int
    stderr: str
    env: dict[str, str]


def _with_any_store(
    command: list[str], output: BinaryIO, store: str, deadline: float, progress: Progress
) -> _Outcome:
    """Run nix-env, and run it again without the machine's store where that refuses this user.

    Evaluating writes nothing to a store, so the one that holds nothing (`dummy://`) gives the same
    output. A nixpkgs that has to be downloaded needs a real one, which `store` becomes.
    A NIX_REMOTE that the user has set is left alone.
    """
    outcome = _run(command, dict(os.environ), output, deadline, progress)
    if "NIX_REMOTE" in os.environ:
        return outcome
    refusals = ""
    for substitute in (
        {"NIX_REMOTE": "dummy://"},
        # Where the store is not this user's to write, the home directory may not be either.
        {"NIX_REMOTE": f"local?root={store}", "XDG_CACHE_HOME": store},
    ):
        if outcome.returncode == 0 or not _STORE_REFUSED.search(outcome.stderr):
            break
        refusals += outcome.stderr
        remote = substitute["NIX_REMOTE"]
        logger.info("the Nix store cannot be used, evaluating with NIX_REMOTE=%s", remote)
        outcome = _run(command, os.environ | substitute, output, deadline, progress)
    return (
        outcome if outcome.returncode == 0 else replace(outcome, stderr=refusals + outcome.stderr)
    )


def _run(
    command: list[str], env: dict[str, str], output: BinaryIO, deadline: float, progress: Progress
) -> _Outcome:
    """Run `command` with its standard output in `output`, and its end awaited.

    The output goes through a pipe: should this process be killed outright, the pipe breaks, and
    the child ends at its next output.

    Raises:
        TimeoutError: The deadline (of `time.monotonic`) passed; the command was ended.
    """
    with (
        _stop_signals() as stops,
        selectors.DefaultSelector() as selector,
        subprocess.Popen(  # noqa: S603 - no shell, and paths are absolute
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        ) as process,
    ):
        output.seek(0)
        output.truncate()
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            assert process.stderr is not None  # noqa: S101
            stderr = b""
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
                        stderr = (stderr + chunk)[-_STDERR_KEPT:]
            returncode = process.wait(_left(deadline))
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise TimeoutError from error
        except BaseException:
            _end(process)
            raise
    return _Outcome(returncode, stderr.decode(errors="replace"), env)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its group: kindly, then not."""
    # macOS answers PermissionError for a group of which only an unreaped leader is left.
    gone = (ProcessLookupError, PermissionError)
    try:
        with suppress(*gone, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(_GRACE_SECONDS)
    finally:
        with suppress(*gone):
            os.killpg(process.pid, signal.SIGKILL)
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


def _check(outcome: _Outcome, listing: BinaryIO, nixpkgs_path: str) -> None:
    lines = outcome.stderr.strip().splitlines()
    said = "\n".join(lines[-_MESSAGE_LINES:]) or "(nothing)"
    if outcome.returncode == -signal.SIGKILL:
        raise SourceError(
            f"nix-env was killed while it evaluated {nixpkgs_path!r}, probably because memory ran "
            "out (nixpkgs takes several GB); set NIXPKGS_SOURCE=channel to evaluate nothing. "
            f"It said:\n{said}"
        )
    if outcome.returncode != 0:
        raise SourceError(
            f"nix-env could not evaluate NIXPKGS_PATH {nixpkgs_path!r} (exit status "
            f"{outcome.returncode}); correct it, or set NIXPKGS_SOURCE=channel. It said:\n{said}"
        )
    listing.seek(0)
    start = listing.read(16)
    listing.seek(0)
    if not start.strip(b"{} \n"):
        raise SourceError(
            f"nix-env listed no package in NIXPKGS_PATH {nixpkgs_path!r}; is it a nixpkgs? "
            f"It said:\n{said}"
        )


def _directory(nixpkgs_path: str) -> Path | None:
    """Return the directory of a nixpkgs that lies on this machine, with symlinks resolved."""
    if _URL.match(nixpkgs_path):
        return None
    if _LOOKUP.fullmatch(nixpkgs_path):
        found = _aside(["nix-instantiate", "--find-file", nixpkgs_path[1:-1]])
        return None if found is None else _directory(found)
    path = Path(nixpkgs_path)
    with suppress(OSError):
        path = path.resolve()
        if (path / "default.nix").is_file():
            return path
        if path.is_file():
            return path.parent
    return None


def _revision(nixpkgs_path: str, directory: Path | None, env: dict[str, str]) -> str | None:
    """Return the git revision that the nixpkgs says it is of.

    Channels put it into `.git-revision`, and its start into `.version-suffix` (as in
    `pre843652.0b4defa2584f`); see nixpkgs' lib/trivial.nix, revisionWithDefault and versionSuffix.
    """
    if directory is None:
        if in_url := _COMMIT.search(nixpkgs_path):
            return in_url[0]
        # In the store that it was evaluated from, where it lies already.
        root = f"builtins.fetchTarball {_nix_string(nixpkgs_path)}"
        read = f'builtins.readFile ({root} + "/.git-revision")'
        said = _aside(["nix-instantiate", "--eval", "--json", "--expr", read], env)
        return said and str(json.loads(said)).strip()
    with suppress(OSError):
        return (directory / ".git-revision").read_text().strip() or None
    if (directory / ".git").exists():
        return _aside(["git", "-C", str(directory), "rev-parse", "--verify", "HEAD"])
    with suppress(OSError):
        suffix = _SUFFIX_COMMIT.search((directory / ".version-suffix").read_text().strip())
        return suffix and suffix[1]
    return None


def _version() -> str | None:
    said = _aside(["nix-env", "--version"])
    return said and said.split()[-1]


def _aside(command: list[str], env: dict[str, str] | None = None) -> str | None:
    """Return what a quick command prints, or None where it fails; it needs no store by default."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603
            command,
            env={"NIX_REMOTE": "dummy://"} | os.environ if env is None else env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_ASIDE_SECONDS,
            text=True,
            errors="replace",
        )
        return done.stdout.strip() or None
    return None
