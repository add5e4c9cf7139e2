"""Promises of the channel source, kept against a real and misbehaving HTTP server."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import brotli
import pytest

from fdnix.errors import DataError, SourceError
from fdnix.nixpkgs.catalog import read_catalog
from fdnix.nixpkgs.sources import Fetched, Limits, Unchanged, fetch
from support.channel_server import CHANNEL, REVISION, Channel, Fault, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Incompressible, so that it is larger than what socket buffers swallow at once.
CATALOGUE = brotli.compress(
    b'{"version":"2","packages":{"a":{"name":"a-1","x":"%s"}}}'
    % random.Random(1).randbytes(150_000).hex().encode(),
    quality=1,
)
LIMITS = Limits(total=20, connect=2, read=0.3, attempts=4, backoff=0.01)


@pytest.fixture
def channel() -> Iterator[Channel]:
    with serve(CATALOGUE) as served:
        yield served


@contextmanager
def fetched(
    channel: Channel,
    workdir: Path,
    *,
    name: str = CHANNEL,
    url: str | None = None,
    known_etag: str | None = None,
    limits: Limits = LIMITS,
) -> Iterator[Fetched | Unchanged]:
    with fetch(
        "channel",
        channel=name,
        nixpkgs_path="<nixpkgs>",
        channel_url=channel.url if url is None else url,
        workdir=workdir,
        known_etag=known_etag,
        limits=limits,
    ) as answer:
        yield answer


def arrived(channel: Channel, workdir: Path, **options: object) -> bytes:
    with fetched(channel, workdir, **options) as answer:  # type: ignore[arg-type]
        assert isinstance(answer, Fetched)
        return answer.path.read_bytes()


def test_the_catalogue_comes_with_its_revision_and_etag(channel: Channel, tmp_path: Path) -> None:
    with fetched(channel, tmp_path) as answer:
        assert isinstance(answer, Fetched)
        assert answer.path.read_bytes() == CATALOGUE
        assert (answer.source, answer.channel) == ("channel", CHANNEL)
        assert (answer.revision, answer.etag) == (REVISION, '"v1"')
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_announced_size(channel: Channel, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with fetch(
        "channel",
        channel=CHANNEL,
        nixpkgs_path="<nixpkgs>",
        channel_url=channel.url + "/",
        workdir=tmp_path,
        limits=LIMITS,
        progress=lambda done, total: seen.append((done, total)),
    ):
        pass
    assert seen == sorted(seen, key=lambda step: step[0])
    assert seen[-1] == (len(CATALOGUE), len(CATALOGUE))


def test_an_unchanged_catalogue_is_not_downloaded_again(channel: Channel, tmp_path: Path) -> None:
    with fetched(channel, tmp_path, known_etag='"v1"') as answer:
        assert answer == Unchanged(channel=CHANNEL, etag='"v1"')
    assert list(tmp_path.iterdir()) == []


def test_a_changed_catalogue_is_downloaded(channel: Channel, tmp_path: Path) -> None:
    assert arrived(channel, tmp_path, known_etag='"v0"') == CATALOGUE


def test_a_cut_download_goes_on_where_it_broke_off(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(cut_after=100_000), Fault(cut_after=20_000)]
    assert arrived(channel, tmp_path) == CATALOGUE
    assert channel.asked("Range") == [None, "bytes=100000-", "bytes=120000-"]
    assert channel.asked("If-Range") == [None, '"v1"', '"v1"']


def test_a_stalled_download_goes_on(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(stall_after=50_000)]
    assert arrived(channel, tmp_path) == CATALOGUE
    assert channel.asked("Range") == [None, "bytes=50000-"]


def test_a_server_without_ranges_is_asked_from_the_start(channel: Channel, tmp_path: Path) -> None:
    channel.ranges = False
    channel.faults = [Fault(cut_after=100_000)]
    assert arrived(channel, tmp_path) == CATALOGUE


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_without_a_strong_etag_nothing_is_resumed(
    channel: Channel, tmp_path: Path, etag: str | None
) -> None:
    channel.etag = etag
    channel.faults = [Fault(cut_after=100_000)]
    assert arrived(channel, tmp_path) == CATALOGUE
    assert channel.asked("Range") == [None, None]


@pytest.mark.parametrize("blind", [False, True])
def test_two_catalogues_never_grow_together(channel: Channel, tmp_path: Path, blind: bool) -> None:
    channel.faults = [Fault(cut_after=100_000)]
    with (
        pytest.raises(SourceError),
        fetched(channel, tmp_path, limits=Limits(attempts=1, read=1)),
    ):
        pass
    channel.catalogue, channel.etag = CATALOGUE[::-1], '"v2"'
    channel.faults = [Fault(blind_to_if_range=blind)]
    assert arrived(channel, tmp_path) == CATALOGUE[::-1]


def test_a_range_other_than_the_wanted_one_is_thrown_away(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(cut_after=100_000), Fault(shift=7)]
    assert arrived(channel, tmp_path) == CATALOGUE


def test_a_part_longer_than_the_file_is_thrown_away(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(cut_after=100_000)]
    with pytest.raises(SourceError), fetched(channel, tmp_path, limits=Limits(attempts=1)):
        pass
    channel.catalogue = CATALOGUE[:60_000]
    assert arrived(channel, tmp_path) == CATALOGUE[:60_000]


def test_the_next_run_goes_on_with_a_download_that_was_given_up(
    channel: Channel, tmp_path: Path
) -> None:
    channel.faults = [Fault(cut_after=10_000)] * LIMITS.attempts
    with (
        pytest.raises(SourceError, match=r"4 attempts failed.*run again"),
        fetched(channel, tmp_path),
    ):
        pass
    assert arrived(channel, tmp_path) == CATALOGUE
    assert channel.asked("Range")[-1] == "bytes=40000-"


def test_the_next_run_goes_on_after_the_process_was_killed(
    channel: Channel, tmp_path: Path
) -> None:
    channel.faults = [Fault(stall_after=120_000)]
    script = (
        "import sys; from pathlib import Path; from fdnix.nixpkgs.sources import fetch\n"
        "with fetch('channel', channel=sys.argv[1], nixpkgs_path='', channel_url=sys.argv[2],"
        " workdir=Path(sys.argv[3])): pass"
    )
    process = subprocess.Popen([sys.executable, "-c", script, CHANNEL, channel.url, tmp_path])
    part = tmp_path / f"{CHANNEL}.packages.json.br.part"
    deadline = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert arrived(channel, tmp_path) == CATALOGUE
    resumed = channel.asked("Range")[-1]
    assert resumed is not None
    assert int(resumed.removeprefix("bytes=").removesuffix("-")) > 100_000


def test_another_server_does_not_go_on_with_this_ones_part(
    channel: Channel, tmp_path: Path
) -> None:
    channel.faults = [Fault(cut_after=10_000)]
    with pytest.raises(SourceError), fetched(channel, tmp_path, limits=Limits(attempts=1)):
        pass
    with serve(CATALOGUE[::-1]) as other:
        assert arrived(other, tmp_path) == CATALOGUE[::-1]


def test_a_passing_server_error_is_tried_again(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(status=500), Fault(status=429), Fault(status=503)]
    assert arrived(channel, tmp_path) == CATALOGUE


def test_a_lasting_server_error_is_named(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(status=503)] * LIMITS.attempts
    with pytest.raises(SourceError, match=r"HTTP 503.*NIXPKGS_SOURCE"), fetched(channel, tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_length_that_is_never_reached_is_an_error(channel: Channel, tmp_path: Path) -> None:
    channel.etag = None
    channel.faults = [Fault(announce=len(CATALOGUE) + 10, cut_after=10**9)] * LIMITS.attempts
    with pytest.raises(SourceError, match="4 attempts failed"), fetched(channel, tmp_path):
        pass


def test_an_empty_answer_is_an_error(channel: Channel, tmp_path: Path) -> None:
    channel.catalogue = b""
    with pytest.raises(SourceError, match="0 bytes arrived"), fetched(channel, tmp_path):
        pass


def test_an_unknown_channel_is_named_at_once(channel: Channel, tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match=r"no channel 'nixos-99\.99'.*NIXPKGS_CHANNEL"),
        fetched(channel, tmp_path, name="nixos-99.99"),
    ):
        pass
    assert len(channel.requests) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "../etc", "a?b", "-x", "a b", "a\n"])
def test_what_is_no_channel_name_is_never_asked_for(
    channel: Channel, tmp_path: Path, name: str
) -> None:
    with pytest.raises(SourceError, match="NIXPKGS_CHANNEL"), fetched(channel, tmp_path, name=name):
        pass
    assert channel.requests == []


@pytest.mark.parametrize(
    "url", ["", "channels.nixos.org", "ftp://example.org", "http://", "http://[x"]
)
def test_what_is_no_web_url_is_refused(channel: Channel, tmp_path: Path, url: str) -> None:
    with (
        pytest.raises(SourceError, match="NIXPKGS_CHANNEL_URL"),
        fetched(channel, tmp_path, url=url),
    ):
        pass


def test_a_server_that_is_not_there_is_an_error(channel: Channel, tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match=r"could not be downloaded.*refused"),
        fetched(channel, tmp_path, url="http://127.0.0.1:9"),
    ):
        pass


def test_the_revision_is_that_of_the_release_redirected_to(
    channel: Channel, tmp_path: Path
) -> None:
    channel.redirect_to = "/releases/nixpkgs-26.11pre1"
    with fetched(channel, tmp_path) as answer:
        assert isinstance(answer, Fetched)
        assert (answer.path.read_bytes(), answer.revision) == (CATALOGUE, REVISION)
    assert channel.requests[-1][0] == "/releases/nixpkgs-26.11pre1/git-revision"


@pytest.mark.parametrize("revision", [None, b"<html>maintenance</html>"])
def test_a_catalogue_without_a_revision_is_still_one(
    channel: Channel, tmp_path: Path, revision: bytes | None
) -> None:
    channel.revision = revision
    with fetched(channel, tmp_path) as answer:
        assert isinstance(answer, Fetched)
        assert answer.revision is None


def test_redirects_in_a_circle_end(channel: Channel, tmp_path: Path) -> None:
    channel.redirect_to = f"/{CHANNEL}"
    with pytest.raises(SourceError, match="redirects"), fetched(channel, tmp_path):
        pass


def test_brotli_as_content_encoding_is_left_in_the_file(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(encoding="br")]
    assert arrived(channel, tmp_path) == CATALOGUE
    assert channel.asked("Accept-Encoding") == ["identity"]


def test_an_encoding_nobody_asked_for_is_refused(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(encoding="gzip")]
    with pytest.raises(SourceError, match="Content-Encoding gzip"), fetched(channel, tmp_path):
        pass


def test_the_time_limit_holds_for_a_server_that_drips(channel: Channel, tmp_path: Path) -> None:
    channel.faults = [Fault(stall_after=1_000)] * 50
    limits = Limits(total=0.5, connect=1, read=0.1, attempts=50, backoff=0.05)
    started = time.monotonic()
    with pytest.raises(SourceError), fetched(channel, tmp_path, limits=limits):
        pass
    assert time.monotonic() - started < 5


def test_two_runs_do_not_write_into_one_file(channel: Channel, tmp_path: Path) -> None:
    with (
        fetched(channel, tmp_path) as answer,
        pytest.raises(SourceError, match="another run"),
        fetched(channel, tmp_path),
    ):
        pass
    assert isinstance(answer, Fetched)


def test_a_password_in_the_url_is_sent_and_not_shown(
    channel: Channel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    channel.faults = [Fault(status=500)] * LIMITS.attempts
    secret = channel.url.replace("http://", "http://user:hunter2@")
    with pytest.raises(SourceError) as raised, fetched(channel, tmp_path, url=secret):
        pass
    assert set(channel.asked("Authorization")) == {"Basic dXNlcjpodW50ZXIy"}
    assert "hunter2" not in caplog.text + str(raised.value)


def test_brotli_that_was_cut_off_on_the_server_is_refused_by_its_reader(
    channel: Channel, tmp_path: Path
) -> None:
    channel.catalogue = CATALOGUE[:-1000]
    with fetched(channel, tmp_path) as answer:
        assert isinstance(answer, Fetched)
        with pytest.raises(DataError, match="cut off"):
            read_catalog(answer.path)
