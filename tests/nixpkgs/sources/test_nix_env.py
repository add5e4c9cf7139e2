"""Promises of the nix-env source, kept by the real nix-env over the nixpkgs in tests/support."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fdnix.errors import SourceError
from fdnix.nixpkgs.catalog import decode, read_catalog
from fdnix.nixpkgs.package import Package
from fdnix.nixpkgs.sources import Fetched, Limits, choose, fetch
from support.channel_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

NIXPKGS = Path(__file__).parents[2] / "support" / "nixpkgs"
REVISION = "0b4defa2584f8ea2f6e5c9a1b3d7f60819a2c3e4"
HAS_NIX = shutil.which("nix-env") is not None

needs_nix = pytest.mark.skipif(not HAS_NIX, reason="nix-env is not installed")
pytestmark = pytest.mark.nix


@pytest.fixture
def nixpkgs() -> Iterator[Path]:
    """A copy that any user may read, as the directories of pytest are not."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        copy = Path(directory).resolve() / "nixpkgs"
        shutil.copytree(NIXPKGS, copy)
        yield copy


@contextmanager
def evaluated(
    nixpkgs_path: object, workdir: Path, *, source: str = "nix-env", total: float = 60
) -> Iterator[Fetched]:
    with fetch(
        source,
        channel="nixpkgs-unstable",
        nixpkgs_path=str(nixpkgs_path),
        channel_url="https://channels.nixos.org",
        workdir=workdir,
        limits=Limits(total=total),
    ) as answer:
        assert isinstance(answer, Fetched)
        yield answer


def listing(nixpkgs_path: object, workdir: Path) -> bytes:
    with evaluated(nixpkgs_path, workdir) as answer:
        return answer.path.read_bytes()


def packages(nixpkgs_path: object, workdir: Path, *, source: str = "nix-env") -> dict[str, Any]:
    with evaluated(nixpkgs_path, workdir, source=source) as answer:
        decoded = json.loads(answer.path.read_bytes())
    assert isinstance(decoded, dict)
    return decoded


def running(needle: object) -> list[int]:
    """Return the processes whose command line holds `needle`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(needle).encode() in command and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def soon(happened: Any, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(happened())


needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="there is no /proc")


@needs_nix
def test_all_packages_are_listed_and_no_alias(nixpkgs: Path, tmp_path: Path) -> None:
    listed = packages(nixpkgs, tmp_path)
    assert {"hello", "broken", "insecure", "unfree", "python3Packages.nested.deep"} <= set(listed)
    assert "greeting" not in listed
    assert not {"throwing", "asserting"} & set(listed)
    assert list(tmp_path.iterdir()) == []


@needs_nix
def test_broken_and_unfree_packages_keep_their_flags(nixpkgs: Path, tmp_path: Path) -> None:
    listed = packages(nixpkgs, tmp_path)
    assert listed["broken"]["meta"]["broken"] is True
    assert listed["unfree"]["meta"]["available"] is False


@needs_nix
def test_the_sets_that_only_the_published_listing_has_are_listed(
    nixpkgs: Path, tmp_path: Path
) -> None:
    assert "hiddenPackages.inside" in packages(nixpkgs, tmp_path)
    shutil.rmtree(nixpkgs / "pkgs")
    without_its_configuration = packages(nixpkgs, tmp_path)
    assert "hiddenPackages.inside" not in without_its_configuration
    assert "greeting" not in without_its_configuration


@needs_nix
@pytest.mark.parametrize("source", ["nixpkgs", "nix-env"])
def test_nothing_of_the_users_own_changes_the_listing(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    expected = packages(nixpkgs, tmp_path, source=source)
    overlays = tmp_path / "home" / ".config" / "nixpkgs" / "overlays.nix"
    overlays.parent.mkdir(parents=True)
    overlays.write_text("[ (_: super: { addedByUser = super.hello; }) ]")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert packages(nixpkgs, tmp_path, source=source) == expected
    monkeypatch.setenv("NIX_PATH", f"nixpkgs-overlays={overlays}:nixpkgs={nixpkgs}")
    monkeypatch.setenv("NIXPKGS_ALLOW_UNFREE", "1")
    assert packages(nixpkgs, tmp_path, source=source) == expected
    assert packages("<nixpkgs>", tmp_path, source=source) == expected


# --- what nixpkgs publishes


@needs_nix
def test_every_attribute_path_is_listed_with_its_own_pname_as_channels_do(
    nixpkgs: Path, tmp_path: Path
) -> None:
    with evaluated(nixpkgs, tmp_path, source="nixpkgs") as answer:
        catalog = read_catalog(answer.path, answer.root)
        assert (answer.source, answer.left_out) == ("nixpkgs", ())
    found = {entry.package_id: entry for entry in decode(catalog) if isinstance(entry, Package)}
    assert found["python3Packages.requests"].pname == "requests"
    assert found["python3Packages.sameHello"].pname == found["hello"].pname == "hello"
    assert found["hello"].version == "2.12.1"
    assert found["hello"].position == "default.nix:1"
    listed = packages(nixpkgs, tmp_path)
    assert found.keys() - listed.keys() == {"python3Packages.sameHello"}
    assert listed.keys() <= found.keys()


@needs_nix
def test_a_nixpkgs_that_does_not_say_what_it_publishes_is_listed_by_nix_env(
    nixpkgs: Path, tmp_path: Path
) -> None:
    (nixpkgs / "pkgs" / "top-level" / "packages-info.nix").unlink()
    expected = listing(nixpkgs, tmp_path)
    url = archived(nixpkgs, nixpkgs.parent)
    for path in (nixpkgs, nixpkgs / "default.nix"):
        with evaluated(path, tmp_path, source="nixpkgs") as answer:
            assert answer.source == "nix-env"
            assert answer.path.read_bytes() == expected
    with evaluated(url, tmp_path, source="nixpkgs") as answer:
        assert answer.source == "nix-env"


@needs_nix
@pytest.mark.parametrize("published", ["5", '"\xff"', "[ ]"])
def test_a_published_listing_that_is_none_is_said(
    nixpkgs: Path, tmp_path: Path, published: str
) -> None:
    info = nixpkgs / "pkgs" / "top-level" / "packages-info.nix"
    info.write_bytes(f"{{ }}: {published}".encode("latin-1"))
    with (
        pytest.raises(SourceError, match=r"packages-info\.nix gave is no .*NIXPKGS_SOURCE=nix-env"),
        evaluated(nixpkgs, tmp_path, source="nixpkgs"),
    ):
        pass


@needs_nix
def test_a_file_that_is_not_the_whole_nixpkgs_is_listed_by_nix_env(
    nixpkgs: Path, tmp_path: Path
) -> None:
    (nixpkgs / "some.nix").write_text("{ ... }: { hello = (import ./. { }).hello; }")
    with evaluated(nixpkgs / "some.nix", tmp_path, source="nixpkgs") as answer:
        assert answer.source == "nix-env"
        assert list(json.loads(answer.path.read_bytes())) == ["hello"]


@needs_nix
def test_a_tarball_is_listed_as_it_publishes_itself(nixpkgs: Path, tmp_path: Path) -> None:
    with evaluated(archived(nixpkgs, nixpkgs.parent), tmp_path, source="nixpkgs") as answer:
        assert answer.source == "nixpkgs"
        assert "python3Packages.sameHello" in json.loads(answer.path.read_bytes())["packages"]


# --- packages that do not evaluate


@needs_nix
def test_packages_that_do_not_evaluate_are_left_out_and_named(
    nixpkgs: Path, tmp_path: Path
) -> None:
    with evaluated(nixpkgs / "throwing-meta.nix", tmp_path) as answer:
        assert list(json.loads(answer.path.read_bytes())) == ["first", "zlast"]
        assert answer.source == "nix-env"
    assert set(answer.left_out) == {"asserting", "missing", 'set."of+1"', "set.wrong"}
    assert list(tmp_path.iterdir()) == []


@needs_nix
@pytest.mark.parametrize(
    "broken", ['throw "not today"', "assert false; true", "{ }.missing", '1 + "a"']
)
def test_one_package_does_not_cost_what_nixpkgs_publishes(
    nixpkgs: Path, tmp_path: Path, broken: str
) -> None:
    default = nixpkgs / "default.nix"
    default.write_text(default.read_text().replace('"HTTP for humans"', f"({broken})"))
    with evaluated(nixpkgs, tmp_path, source="nixpkgs") as answer:
        listed = json.loads(answer.path.read_bytes())["packages"]
        assert answer.source == "nixpkgs"
    assert "python3Packages.requests" in answer.left_out
    assert {"hello", "python3Packages.sameHello"} <= listed.keys()
    assert "python3Packages.requests" not in listed


@needs_nix
def test_more_packages_than_can_be_left_out_are_named(nixpkgs: Path, tmp_path: Path) -> None:
    broken = " ".join(
        f'p{n} = derivation {{ name = "p-{n}"; system = "x"; builder = "x"; }} // '
        "{ meta.description = { }.missing; };"
        for n in range(20)
    )
    (nixpkgs / "broken.nix").write_text(f"{{ ... }}: {{ {broken} }}")
    with (
        pytest.raises(
            SourceError, match=r"also without p0, p1, (?s:.)*attribute 'missing' missing"
        ),
        evaluated(nixpkgs / "broken.nix", tmp_path),
    ):
        pass


@needs_nix
def test_the_answer_says_what_evaluated_and_where_positions_start(
    nixpkgs: Path, tmp_path: Path
) -> None:
    with evaluated(nixpkgs, tmp_path) as answer:
        assert answer.nix_version is not None
        assert answer.nix_version[0].isdigit()
        assert (answer.source, answer.channel, answer.etag) == ("nix-env", None, None)
        position = json.loads(answer.path.read_bytes())["hello"]["meta"]["position"]
        assert position == f"{nixpkgs}/default.nix:1"


@needs_nix
@pytest.mark.parametrize("name", ["plain", "-dash", 'quo"te', "inter${polation}", "back\\slash"])
def test_a_path_is_taken_as_it_is(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    nixpkgs.rename(nixpkgs.with_name(name))
    monkeypatch.chdir(nixpkgs.parent)
    assert "hiddenPackages.inside" in packages(name, tmp_path)


@needs_nix
def test_a_symlink_a_file_and_a_lookup_path_give_the_same_listing(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(nixpkgs)
    monkeypatch.setenv("NIX_PATH", f"nixpkgs={nixpkgs}")
    expected = listing(nixpkgs, tmp_path)
    assert listing(link, tmp_path) == expected
    assert listing(nixpkgs / "default.nix", tmp_path) == expected
    assert listing("<nixpkgs>", tmp_path) == expected


def archived(nixpkgs: Path, directory: Path) -> str:
    archive = directory / "nixpkgs.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(nixpkgs, "nixpkgs")
    return archive.as_uri()


@needs_nix
def test_a_tarball_gives_the_packages_of_the_directory(nixpkgs: Path, tmp_path: Path) -> None:
    url = archived(nixpkgs, nixpkgs.parent)
    assert packages(url, tmp_path).keys() == packages(nixpkgs, tmp_path).keys()


# --- users who may not write to the store


def wrapped(directory: Path, *wrapper: str) -> str:
    """Return a PATH on which the real nix-env is started by `wrapper`."""
    for tool in ("nix-env", "nix-instantiate"):
        script = directory / tool
        script.write_text(f'#!/bin/sh\nexec {" ".join(wrapper)} {shutil.which(tool)} "$@"\n')
        script.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


@needs_nix
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become nobody"
)
def test_a_user_who_may_not_write_to_the_store_gets_the_same_bytes(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = listing(nixpkgs, tmp_path)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    monkeypatch.setenv("PATH", wrapped(nixpkgs.parent, *nobody))
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.delenv("NIX_REMOTE", raising=False)
    assert listing(nixpkgs, tmp_path) == expected


@pytest.fixture
def read_only_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Nix's own database be in a directory nobody may write to, not even root."""
    state = tmp_path / "state"
    state.mkdir(mode=0o555)
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root writes everywhere, and there is no setpriv to prevent that")
        tools = tmp_path / "tools"
        tools.mkdir()
        without = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
        monkeypatch.setenv("PATH", wrapped(tools, *without))
    monkeypatch.setenv("NIX_STATE_DIR", str(state))
    monkeypatch.delenv("NIX_REMOTE", raising=False)


@needs_nix
def test_a_read_only_store_gives_the_same_bytes(
    nixpkgs: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected = listing(nixpkgs, tmp_path)
    request.getfixturevalue("read_only_store")
    assert listing(nixpkgs, tmp_path) == expected


@needs_nix
@pytest.mark.usefixtures("read_only_store")
def test_a_tarball_is_evaluated_without_a_store_to_write_to(
    nixpkgs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with caplog.at_level("INFO"):
        assert "hello" in packages(archived(nixpkgs, nixpkgs.parent), work)
    assert list(work.iterdir()) == []
    # A store that holds nothing would be of no use, and is not tried.
    [substitute] = [line for line in caplog.messages if "NIX_REMOTE" in line]
    assert "local?root=" in substitute


@needs_nix
@pytest.mark.usefixtures("read_only_store")
def test_a_store_the_user_has_chosen_is_left_alone(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIX_REMOTE", "local")
    with pytest.raises(SourceError, match="Permission denied"), evaluated(nixpkgs, tmp_path):
        pass


# --- failures


def test_without_nix_env_the_way_out_is_named(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(SourceError, match=r"nix-bin.*NIXPKGS_SOURCE=channel"),
        evaluated(nixpkgs, tmp_path),
    ):
        pass


@needs_nix
def test_nixs_own_words_are_in_the_message(nixpkgs: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match="this nixpkgs is of no use"),
        evaluated(nixpkgs / "failing.nix", tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@needs_nix
def test_a_nixpkgs_without_packages_is_an_error(nixpkgs: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match="listed no package"),
        evaluated(nixpkgs / "empty.nix", tmp_path),
    ):
        pass


@needs_nix
@pytest.mark.parametrize("path", ["", "absent", "--help", "<absent>", "<-x>", "."])
def test_a_path_without_a_nixpkgs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NIX_PATH", raising=False)
    with pytest.raises(SourceError, match="NIXPKGS_PATH") as raised, evaluated(path, tmp_path):
        pass
    assert repr(path) in str(raised.value)


# --- an end to everything


@needs_nix
@needs_proc
def test_the_time_limit_ends_nix_env(nixpkgs: Path, tmp_path: Path) -> None:
    endless = nixpkgs / "endless.nix"
    started = time.monotonic()
    with (
        pytest.raises(SourceError, match=r"after 0\.5 s.*NIXPKGS_TIMEOUT"),
        evaluated(endless, tmp_path, total=0.5),
    ):
        pass
    assert time.monotonic() - started < 10
    assert running(endless) == []
    assert list(tmp_path.iterdir()) == []


@needs_nix
@needs_proc
def test_interrupting_ends_nix_env(nixpkgs: Path, tmp_path: Path) -> None:
    endless = nixpkgs / "endless.nix"

    def interrupt() -> None:
        soon(lambda: running(endless))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), evaluated(endless, tmp_path):
        pass
    thread.join()
    assert running(endless) == []
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import sys
from pathlib import Path
from fdnix.nixpkgs.sources import fetch
path, workdir = sys.argv[1:]
with fetch("nix-env", channel="", nixpkgs_path=path, channel_url="", workdir=Path(workdir)):
    pass
"""


@needs_nix
@needs_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_stop_ends_nix_env(nixpkgs: Path, tmp_path: Path, number: int) -> None:
    endless = nixpkgs / "endless.nix"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    work = tmp_path / "work"
    work.mkdir()
    process = subprocess.Popen([sys.executable, script, endless, work])
    assert soon(lambda: len(running(endless)) > 1)
    process.send_signal(number)
    assert process.wait(10) == 128 + number
    assert running(endless) == []
    assert list(work.iterdir()) == []


@needs_nix
@needs_proc
def test_nix_env_ends_with_a_killed_run_and_the_next_one_leaves_nothing(
    nixpkgs: Path, tmp_path: Path
) -> None:
    endless = nixpkgs / "endless.nix"
    command = [sys.executable, "-m", "fdnix", "metadata", f"--output={tmp_path / 'full.duckdb'}"]
    with subprocess.Popen([*command, "--source=nix-env", f"--nixpkgs={endless}"]) as process:
        assert soon(lambda: len(running(endless)) > 1)
        assert list(tmp_path.glob(".fdnix-scratch-*"))
        process.kill()
    assert soon(lambda: running(endless) == [], 5)
    (tmp_path / "full.duckdb.building.tmp").mkdir()
    # Folders in a store may not be written into.
    store = next(tmp_path.glob(".fdnix-scratch-*")) / "store" / "package"
    store.mkdir(parents=True)
    (store / "file").touch()
    store.chmod(0o555)
    subprocess.run([*command, "--source=sample"], check=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "full.duckdb"]


@needs_nix
def test_the_processs_own_signal_handlers_are_left_as_they_were(
    nixpkgs: Path, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with evaluated(nixpkgs, tmp_path):
        assert signal.getsignal(signal.SIGTERM) == before


# --- revisions


@needs_nix
def test_a_channels_nixpkgs_says_its_revision(nixpkgs: Path, tmp_path: Path) -> None:
    (nixpkgs / ".version-suffix").write_text("pre843652.0b4defa2584f")
    with evaluated(nixpkgs, tmp_path) as answer:
        assert answer.revision == REVISION[:12]
    (nixpkgs / ".git-revision").write_bytes(b"\xff")
    with evaluated(nixpkgs, tmp_path) as answer:
        assert answer.revision is None
    (nixpkgs / ".git-revision").write_text(REVISION)
    with evaluated(nixpkgs, tmp_path) as answer:
        assert answer.revision == REVISION


@needs_nix
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_checkout_says_its_revision(nixpkgs: Path, tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        return subprocess.check_output(["git", *identity, "-C", nixpkgs, *arguments], text=True)

    git("init", "-q")
    with evaluated(nixpkgs, tmp_path) as answer:
        assert answer.revision is None
    git("commit", "-q", "--allow-empty", "-m", "Begin")
    with evaluated(nixpkgs, tmp_path) as answer:
        assert answer.revision == git("rev-parse", "HEAD").strip()


@needs_nix
def test_a_nixpkgs_inside_another_repository_does_not_take_its_revision(tmp_path: Path) -> None:
    with evaluated(NIXPKGS, tmp_path) as answer:
        assert answer.revision is None


@needs_nix
def test_a_tarballs_url_says_its_revision(nixpkgs: Path, tmp_path: Path) -> None:
    archive = Path(archived(nixpkgs, nixpkgs.parent).removeprefix("file://"))
    with evaluated(archive.rename(archive.with_name(f"{REVISION}.tar.gz")).as_uri(), tmp_path) as a:
        assert a.revision == REVISION


# --- auto


@needs_nix
def test_auto_evaluates_the_nixpkgs_that_is_there(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIX_PATH", f"nixpkgs={nixpkgs}")
    assert choose("<nixpkgs>") == choose(str(nixpkgs)) == "nixpkgs"
    with evaluated("<nixpkgs>", tmp_path, source="auto") as answer:
        assert answer.source == "nixpkgs"


@needs_nix
def test_auto_is_the_channel_where_there_is_no_nixpkgs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIX_PATH", f"nixpkgs={tmp_path / 'absent'}")
    assert choose("<nixpkgs>") == choose(str(tmp_path / "absent")) == "channel"


def test_auto_is_the_channel_where_there_is_no_nix_env(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose(str(nixpkgs)) == "channel"


# --- no nixpkgs on this machine


@needs_nix
@pytest.mark.usefixtures("read_only_store")
def test_without_a_nixpkgs_the_channels_is_evaluated_and_says_its_revision(
    nixpkgs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nixpkgs / ".git-revision").write_text(REVISION)
    (tmp_path / "www" / "nixos-26.05").mkdir(parents=True)
    archive = Path(archived(nixpkgs, nixpkgs.parent).removeprefix("file://"))
    archive.rename(tmp_path / "www" / "nixos-26.05" / "nixexprs.tar.xz")
    monkeypatch.setenv("NIX_PATH", f"nixpkgs={tmp_path / 'absent'}")
    work = tmp_path / "work"
    work.mkdir()
    with (
        serving(tmp_path / "www") as url,
        fetch(
            "nix-env",
            channel="nixos-26.05",
            nixpkgs_path="<nixpkgs>",
            channel_url=url,
            workdir=work,
        ) as answer,
    ):
        assert isinstance(answer, Fetched)
        assert "hello" in json.loads(answer.path.read_bytes())
        assert answer.revision == REVISION
    assert list(work.iterdir()) == []


def test_a_password_in_an_address_is_no_argument_of_nix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nix is one that notes what it was given: arguments are everybody's to read."""
    noted = tmp_path / "noted"
    stub = tmp_path / "bin" / "nix-env"
    stub.parent.mkdir()
    stub.write_text(
        f'#!/bin/sh\necho "$@" >>{noted}\n'
        "file=$(printf '%s' \"$NIX_CONFIG\" | sed -n 's/^netrc-file = //p')\n"
        '[ -n "$file" ] || exit 1\n'
        f'stat -c %a "$file" >>{noted}.mode; cat "$file" >>{noted}.netrc\n'
        "exit 1\n"
    )
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("NIX_CONFIG", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    with (
        pytest.raises(SourceError) as refusal,
        evaluated("https://ada:hunt%40er2@example.invalid/nixexprs.tar.xz", work),
    ):
        pass
    assert "https://example.invalid/nixexprs.tar.xz" in noted.read_text()
    assert "hunt" not in noted.read_text() + str(refusal.value)
    netrc = Path(f"{noted}.netrc").read_text().splitlines()
    assert set(netrc) == {"machine example.invalid login ada password hunt@er2"}
    assert set(Path(f"{noted}.mode").read_text().split()) == {"600"}
    assert list(work.iterdir()) == []
