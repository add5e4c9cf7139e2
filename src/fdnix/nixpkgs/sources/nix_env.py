"""The catalogue as the installed Nix evaluates it, from a nixpkgs on this machine or a tarball.

Either as nixpkgs publishes it, in the channel's form, or as `nix-env -qaP --json --meta` lists it:
each value once, under the first of its attribute paths.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal
from urllib.parse import unquote

import httpx
import msgspec

from fdnix.download import apart
from fdnix.errors import SourceError
from fdnix.nixpkgs.sources.process import Evaluator, Outcome, apart_from_the_user, aside
from fdnix.nixpkgs.sources.source import Fetched, nameless_file, tarball
from fdnix.nixpkgs.text import nix_string
from fdnix.nixpkgs.tree.files import REVISION, revision_of
from fdnix.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fdnix.download import Wanted
    from fdnix.nixpkgs.sources.source import Work

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|channel:|flake:)", re.IGNORECASE)
_LOOKUP = re.compile(r"<[A-Za-z0-9][A-Za-z0-9._+/-]*>")
_COMMIT = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")
_SUFFIX_COMMIT = re.compile(r"\.([0-9a-f]{7,40})$")

_MESSAGE_LINES = 15
_WARNINGS_KEPT = 64 * 1024


@dataclass(frozen=True)
class NixEnv:
    """The nixpkgs at `nixpkgs_path`; `tarball` is evaluated where Nix finds no `<nixpkgs>`."""

    nixpkgs_path: str
    tarball: str | None = None
    published: bool = False
    """Whether to evaluate the listing that nixpkgs publishes, where it says how."""

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
        """Yield the catalogue, evaluated by Nix.

        It has no aliases, nothing of the user's own, and packages that are broken, insecure or
        unfree with their flags (Nix only marks them; allowing them would change
        `meta.available`). Packages of which nixpkgs says something that cannot be evaluated are
        left out, and named.

        Nix and whatever it started are ended when the time is over or this process is told to
        stop.

        Raises:
            SourceError: Nix is missing, was ended, failed or listed nothing, or there is no
                nixpkgs at `nixpkgs_path`.
        """
        if shutil.which("nix-env") is None:
            raise SourceError(
                "nix-env is not installed (or not on PATH); install Nix, which Debian packages as "
                "nix-bin, or set NIXPKGS_SOURCE=channel to download the catalogue instead"
            )
        address, login = _without_login(self._to_evaluate())
        nixpkgs = _located(address)
        deadline = time.monotonic() + work.limits.total
        with (
            nameless_file(work.directory) as (listing, path),
            scratch(work.directory) as folder,
        ):
            evaluator = Evaluator(
                listing, folder, deadline, work.progress, downloads=nixpkgs.is_url
            )
            env = apart_from_the_user() | _login_for_nix(login, evaluator.scratch)
            try:
                listed = _list(nixpkgs, evaluator, env, published=self.published)
            except TimeoutError as error:
                raise SourceError(
                    f"Nix had not finished evaluating {nixpkgs.path!r} after "
                    f"{work.limits.total:g} s and was ended; raise NIXPKGS_TIMEOUT, or set "
                    "NIXPKGS_SOURCE=channel"
                ) from error
            outcome = listed.outcome
            yield Fetched(
                path=path,
                source=listed.source,
                revision=_revision(nixpkgs.path, nixpkgs.directory, outcome.env),
                nix_version=_version(),
                warnings=outcome.stderr.strip()[-_WARNINGS_KEPT:] or None,
                root=nixpkgs.directory,
                tree=nixpkgs.directory or _tarball(self._to_evaluate()),
                left_out=listed.left_out,
            )

    def _to_evaluate(self) -> str:
        path = self.nixpkgs_path
        missing = path == "<nixpkgs>" and _directory(path) is None
        return self.tarball if missing and self.tarball else path


@dataclass(frozen=True)
class _Nixpkgs:
    """A nixpkgs as the user names it, and as Nix finds it."""

    path: str
    file: str
    """What nix-env takes; absolute, so that none is taken for an option."""
    root: str
    """A Nix expression for its directory."""
    directory: Path | None
    """That directory, if it is on this machine."""

    @property
    def is_url(self) -> bool:
        return _URL.match(self.path) is not None

    @property
    def imported(self) -> str:
        """A Nix expression for what the file evaluates to."""
        if self.is_url:
            return f"import ({self.root})"
        return f"import {self.file if self.directory is None else self._absolute}"

    @property
    def _absolute(self) -> str:
        return f"(/. + {nix_string(self.file)})"

    @property
    def publishes(self) -> bool:
        """Whether the file is the nixpkgs whose own listing may be evaluated in its place."""
        if self.directory is None:
            return self.is_url and not self.path.lower().startswith("flake:")
        whole = Path(self.file) in {self.directory, self.directory / "default.nix"}
        return whole and (self.directory / _PUBLISHED).is_file()


def _located(path: str) -> _Nixpkgs:
    directory = _directory(path)
    if _URL.match(path):
        return _Nixpkgs(path, path, f"builtins.fetchTarball {nix_string(path)}", None)
    if directory is not None:
        file = str(directory if _LOOKUP.fullmatch(path) else Path(path).resolve())
        return _Nixpkgs(path, file, f"/. + {nix_string(str(directory))}", directory)
    if _LOOKUP.fullmatch(path):
        return _Nixpkgs(path, path, path, None)
    raise SourceError(
        f"NIXPKGS_PATH is {path!r}, where there is no nixpkgs (a directory with "
        "default.nix, or a .nix file); set it to a path, to <nixpkgs> or to a tarball's "
        "URL, or set NIXPKGS_SOURCE=channel"
    )


# What channels publish is made by this file since NixOS/nixpkgs#451424 (see make-tarball.nix).
_PUBLISHED = "pkgs/top-level/packages-info.nix"


@dataclass(frozen=True)
class _Listed:
    source: Literal["nixpkgs", "nix-env"]
    outcome: Outcome
    left_out: tuple[str, ...] = ()


def _without_login(address: str) -> tuple[str, str | None]:
    """An address apart from the user and password in it, which are a line of a netrc file."""
    match = _LOGIN.match(address)
    if match is None:
        return address, None
    host = re.split(r"[:/?#]", address[match.end() :], maxsplit=1)[0]
    user, password = unquote(match["user"]), unquote(match["password"] or "")
    return (
        match["scheme"] + address[match.end() :],
        f"machine {host} login {user} password {password}\n",
    )


_LOGIN = re.compile(
    r"(?P<scheme>https?://)(?P<user>[^/?#@:]*)(?::(?P<password>[^/?#@]*))?@", re.IGNORECASE
)


def _tarball(address: str) -> Wanted | None:
    """What is to be downloaded to have the nixpkgs that Nix downloaded; None where it is no URL."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return None
    if url.scheme not in {"http", "https"}:
        return None
    return tarball(*apart(url))


def _login_for_nix(login: str | None, directory: Path) -> dict[str, str]:
    """What Nix's environment needs to send `login`: arguments are everybody's to read."""
    if login is None:
        return {}
    file = directory / "netrc"
    file.touch(mode=0o600)
    file.write_text(login)
    given = os.environ.get("NIX_CONFIG", "")
    return {"NIX_CONFIG": f"{given}\nnetrc-file = {file}"}


def _list(
    nixpkgs: _Nixpkgs, evaluator: Evaluator, env: dict[str, str], *, published: bool
) -> _Listed:
    """Have the listing in the evaluator's output, as nixpkgs publishes it or as nix-env prints it.

    Packages are left out of it only where it cannot be had with them.
    """
    if _LOOKUP.fullmatch(nixpkgs.file):
        env["NIX_PATH"] = os.environ.get("NIX_PATH", "")
    if published and nixpkgs.publishes:
        outcome = evaluator.run(_published(nixpkgs), env)
        if outcome.returncode == 0:
            if _unpack(evaluator.output):
                return _Listed("nixpkgs", outcome)
            env = outcome.env
        else:
            return _list_sound("nixpkgs", nixpkgs, evaluator, outcome)
    outcome = evaluator.run(_command(nixpkgs.file, _arguments(nixpkgs)), env)
    if outcome.returncode == 0 and _is_whole(evaluator.output):
        _check_listing(outcome, evaluator.output, nixpkgs.path)
        return _Listed("nix-env", outcome)
    return _list_sound("nix-env", nixpkgs, evaluator, outcome)


def _list_sound(
    source: Literal["nixpkgs", "nix-env"],
    nixpkgs: _Nixpkgs,
    evaluator: Evaluator,
    failed: Outcome,
) -> _Listed:
    """Have the listing without the packages that do not evaluate, which sound.nix finds.

    What it cannot catch (a missing attribute, a wrong type) ends Nix, but names the package, which
    the next attempt then leaves out.

    Raises:
        SourceError: Nix fails for another reason, or one package after the other ends it.
    """
    if failed.returncode == -signal.SIGKILL:
        raise _failure(failed, nixpkgs.path)
    culprits: list[str] = []
    while len(culprits) <= _MOST_CULPRITS:
        sound = f"import (/. + {nix_string(str(_SOUND))}) {{ without = [ {_list_of(culprits)} ]; }}"
        if source == "nixpkgs":
            command = _published(nixpkgs, f"({sound}).published")
        else:
            wrapper = evaluator.scratch / "sound.nix"
            arguments = f"{{ {' '.join(f'{n} = {v};' for n, v in _arguments(nixpkgs).items())} }}"
            wrapper.write_text(f"({sound}).packages ({nixpkgs.imported}) {arguments}")
            command = _command(str(wrapper), {})
        outcome = evaluator.run([command[0], "--show-trace", *command[1:]], failed.env)
        whole = _unpack if source == "nixpkgs" else _is_whole
        if outcome.returncode == 0 and whole(evaluator.output):
            _check_listing(outcome, evaluator.output, nixpkgs.path)
            return _Listed(source, outcome, tuple(_LEFT_OUT.findall(outcome.stderr)))
        found = set(_CULPRIT.findall(outcome.stderr)) - set(culprits)
        if not found:
            break
        # The context of a package lies within those of the sets that it is in.
        culprits.append(max(found, key=len))
    raise _failure(failed, nixpkgs.path, culprits)


_SOUND = Path(__file__).with_name("sound.nix")
_MOST_CULPRITS = 10
_CULPRIT = re.compile(r"while evaluating package set attribute path '(.+)'")
_LEFT_OUT = re.compile(r"^trace: fdnix leaves out (.+)$", re.MULTILINE)


def _published(nixpkgs: _Nixpkgs, importer: str = "file: import file { }") -> list[str]:
    """Return the call that prints the published listing as a JSON string, or null without one."""
    expression = (
        f'let file = {nixpkgs.root} + "/{_PUBLISHED}"; in '
        f"if builtins.pathExists file then ({importer}) file else null"
    )
    return ["nix-instantiate", "--eval", "--json", "--expr", expression]


def _command(file: str, arguments: Mapping[str, str]) -> list[str]:
    given = [("--arg", name, value) for name, value in arguments.items()]
    return [
        *("nix-env", "--file", file, "--query", "--available"),
        *("--attr-path", "--json", "--meta"),
        *itertools.chain.from_iterable(given),
    ]


def _arguments(nixpkgs: _Nixpkgs) -> dict[str, str]:
    """Return Nix expressions for what nixpkgs made packages.json with when nix-env listed it.

    That is pkgs/top-level/packages-config.nix (used by pkgs/top-level/make-tarball.nix): no
    aliases, and package sets that nix-env would otherwise not descend into, such as R's.
    """
    config = "{ allowAliases = false; }"
    if not nixpkgs.path.lower().startswith("flake:"):
        config = (
            f'let file = {nixpkgs.root} + "/pkgs/top-level/packages-config.nix"; in '
            f"(if builtins.pathExists file then import file else {{ }}) // {config}"
        )
    return {"config": config, "overlays": "[ ]"}


def _list_of(texts: Iterable[str]) -> str:
    return " ".join(map(nix_string, texts))


def _unpack(listing: BinaryIO) -> bool:
    """Put the document that a JSON string holds in its place; tell whether there is one.

    Raises:
        SourceError: There is no string, or it is not UTF-8, which Nix allows.
    """
    listing.seek(0)
    try:
        document = msgspec.json.decode(listing.read(), type=str | None)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceError(
            f"what {_PUBLISHED} gave is no text in JSON ({error}); set NIXPKGS_SOURCE=nix-env"
        ) from error
    if document is None:
        return False
    listing.seek(0)
    listing.truncate()
    listing.write(document.encode())
    listing.seek(0)
    return True


def _is_whole(listing: BinaryIO) -> bool:
    """Tell whether the listing is JSON: Nix before 2.9 goes on behind a value that throws."""
    listing.seek(0)
    try:
        msgspec.json.decode(listing.read(), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    finally:
        listing.seek(0)
    return True


def _check_listing(outcome: Outcome, listing: BinaryIO, nixpkgs_path: str) -> None:
    start = listing.read(16)
    listing.seek(0)
    if not start.strip(b"{} \n"):
        raise SourceError(
            f"Nix listed no package in NIXPKGS_PATH {nixpkgs_path!r}; is it a nixpkgs? "
            f"It said:\n{_end_of(outcome)}"
        )


def _failure(outcome: Outcome, nixpkgs_path: str, culprits: Sequence[str] = ()) -> SourceError:
    said = _end_of(outcome)
    if outcome.returncode == -signal.SIGKILL:
        return SourceError(
            f"Nix was killed while it evaluated {nixpkgs_path!r}, probably because memory ran "
            "out (nixpkgs takes several GB); set NIXPKGS_SOURCE=channel to evaluate nothing. "
            f"It said:\n{said}"
        )
    named = f" also without {', '.join(culprits)}" if culprits else ""
    return SourceError(
        f"Nix could not evaluate NIXPKGS_PATH {nixpkgs_path!r}{named} (exit status "
        f"{outcome.returncode}); correct it, or set NIXPKGS_SOURCE=channel. It said:\n{said}"
    )


def _end_of(outcome: Outcome) -> str:
    return "\n".join(outcome.stderr.strip().splitlines()[-_MESSAGE_LINES:]) or "(nothing)"


def _directory(nixpkgs_path: str) -> Path | None:
    """Return the directory of a nixpkgs that lies on this machine, with symlinks resolved."""
    if _URL.match(nixpkgs_path):
        return None
    if _LOOKUP.fullmatch(nixpkgs_path):
        found = aside(["nix-instantiate", "--find-file", nixpkgs_path[1:-1]])
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
        root = f"builtins.fetchTarball {nix_string(nixpkgs_path)}"
        read = f'builtins.readFile ({root} + "/.git-revision")'
        said = aside(["nix-instantiate", "--eval", "--json", "--expr", read], env)
        return said and revision_of(str(json.loads(said)).encode())
    with suppress(OSError):
        return revision_of((directory / REVISION).read_bytes())
    if (directory / ".git").exists():
        return aside(["git", "-C", str(directory), "rev-parse", "--verify", "HEAD"])
    with suppress(OSError):
        suffix = _SUFFIX_COMMIT.search(
            (directory / ".version-suffix").read_text(encoding="ascii", errors="replace").strip()
        )
        return suffix and suffix[1]
    return None


def _version() -> str | None:
    said = aside(["nix-env", "--version"])
    return said and said.split()[-1]
