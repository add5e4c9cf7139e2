"""Promises of the sources that are no more than a file: a path, standard input, the sample."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from fdnix.errors import SourceError
from fdnix.nixpkgs.sources import Fetched, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATALOGUE = b'{"hello": {"name": "hello-1.0"}}' + b" " * 3_000_000

FROM_STDIN = """
import sys
from pathlib import Path
from fdnix.errors import SourceError
from fdnix.nixpkgs.sources import fetch
try:
    with fetch(
        "-", channel="", nixpkgs_path="", channel_url="", workdir=Path(sys.argv[1])
    ) as answer:
        print(answer.source, answer.path.stat().st_size, answer.path.read_bytes()[:7])
except SourceError as error:
    print(error)
print(list(Path(sys.argv[1]).iterdir()))
"""


@contextmanager
def fetched(source: object, workdir: Path) -> Iterator[Fetched]:
    with fetch(
        str(source),
        channel="nixpkgs-unstable",
        nixpkgs_path="<nixpkgs>",
        channel_url="https://channels.nixos.org",
        workdir=workdir,
    ) as answer:
        assert isinstance(answer, Fetched)
        yield answer


def test_a_file_is_used_where_it_lies_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "packages.json"
    file.write_bytes(CATALOGUE)
    with fetched(file, tmp_path) as answer:
        assert (answer.path, answer.source, answer.revision) == (file, "file", None)
    assert file.read_bytes() == CATALOGUE


def test_a_pipe_is_spooled(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, CATALOGUE[:1000])
    os.close(writer)
    with fetched(f"/dev/fd/{reader}", tmp_path) as answer:
        assert answer.path.read_bytes() == CATALOGUE[:1000]
    os.close(reader)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["absent.json", "nixenv", "Channel"])
def test_a_mistyped_source_is_told_what_there_is(tmp_path: Path, word: str) -> None:
    with (
        pytest.raises(SourceError, match="neither auto, nixpkgs, nix-env, channel, sample or -"),
        fetched(word, tmp_path),
    ):
        pass


def test_a_directory_is_sent_to_nix_env(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="NIXPKGS_PATH"), fetched(tmp_path, tmp_path):
        pass


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "packages.json"
    file.touch()
    with pytest.raises(SourceError, match="is empty"), fetched(file, tmp_path):
        pass


def test_an_error_of_the_reader_is_not_taken_for_one_of_the_source(tmp_path: Path) -> None:
    file = tmp_path / "packages.json"
    file.write_bytes(CATALOGUE)
    with pytest.raises(FileNotFoundError), fetched(file, tmp_path):
        (tmp_path / "elsewhere").read_bytes()


def from_stdin(workdir: Path, **stdin: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FROM_STDIN, workdir],
        stdout=subprocess.PIPE,
        check=True,
        timeout=30,
        **stdin,  # type: ignore[call-overload]
    )
    return str(done.stdout.decode())


def test_standard_input_is_spooled(tmp_path: Path) -> None:
    said = from_stdin(tmp_path, input=CATALOGUE)
    assert said == f"file {len(CATALOGUE)} {CATALOGUE[:7]!r}\n[]\n"


def test_empty_standard_input_is_refused(tmp_path: Path) -> None:
    assert from_stdin(tmp_path, input=b"") == "standard input is empty: no catalogue came in\n[]\n"


def test_a_terminal_is_not_waited_for(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    said = from_stdin(tmp_path, stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert "is a terminal" in said


def test_the_sample_is_bundled(tmp_path: Path) -> None:
    with fetched("sample", tmp_path) as answer:
        assert answer.source == "sample"
        assert "hello" in json.loads(answer.path.read_bytes())
