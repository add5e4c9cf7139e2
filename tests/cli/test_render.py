"""What a search prints: plain lines in a pipe, styles on a terminal, JSON for scripts."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fdnix.cli import render
from fdnix.database.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def command(indexed: Path, *arguments: str) -> list[str]:
    database = str(indexed / "fdnix.duckdb")
    return [sys.executable, "-m", "fdnix", "search", "--db", database, "--limit=1", *arguments]


def on_a_terminal(arguments: list[str], **env: str) -> str:
    """What a command writes to standard output where that is a terminal."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | env
    with subprocess.Popen(arguments, stdout=theirs, stderr=subprocess.DEVNULL, env=environment):
        os.close(theirs)
        screen = b""
        # On Linux the end of a terminal whose other side has closed is an error.
        try:
            while chunk := os.read(ours, 65536):
                screen += chunk
        except OSError:
            pass
    os.close(ours)
    return screen.decode().replace("\r\n", "\n")


def test_in_a_pipe_a_hit_is_plain_lines(indexed: Path) -> None:
    ended = subprocess.run(command(indexed, "editor"), check=True, capture_output=True, text=True)
    name, *rest = ended.stdout.splitlines()
    package_id, version = name.split("  ")
    assert version == "1.0"
    assert f"    nix shell nixpkgs#{package_id}" in rest
    assert rest[-1].startswith("    found by: ")
    assert "\x1b" not in ended.stdout + ended.stderr
    assert ended.stderr.endswith(" ms\n")


def test_on_a_terminal_the_name_is_bold_but_not_where_colours_are_unwanted(indexed: Path) -> None:
    assert re.match(r"\x1b\[1meditor\d+\x1b\[0m  1.0\n", on_a_terminal(command(indexed, "editor")))
    assert "\x1b" not in on_a_terminal(command(indexed, "editor"), NO_COLOR="1")


def test_json_is_one_line_in_a_pipe_and_indented_on_a_terminal(indexed: Path) -> None:
    arguments = command(indexed, "--json", "editor")
    piped = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    shown = on_a_terminal(arguments)
    assert piped.count("\n") == 1
    assert shown.startswith('{\n  "hits"')
    assert json.loads(piped)["hits"] == json.loads(shown)["hits"]


def test_a_time_in_json_is_as_rfc_3339_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True, slots=True)
    class Written:
        at: datetime

    render.as_json([Written(datetime(2026, 11, 22, 3, tzinfo=UTC))])
    assert capsys.readouterr().out == '[{"at":"2026-11-22T03:00:00Z"}]\n'


def test_what_a_file_says_is_shown_and_never_obeyed(indexed: Path, tmp_path: Path) -> None:
    path = tmp_path / "fdnix.duckdb"
    path.write_bytes((indexed / "fdnix.duckdb").read_bytes())
    with connect(path) as connection:
        connection.execute(
            "UPDATE packages SET description = 'bell ' || chr(7) || chr(27) || ']0;x' || chr(155) "
            "|| '2J' || chr(8238) || chr(10) || '[/x] end', long_description = chr(27) || 'c'"
        )
        connection.execute("INSERT INTO fdnix_meta VALUES (chr(27) || '[2J', '[/x]' || chr(27))")
    for arguments in (
        ["search", "editor"],
        ["search", "--format=lines", "editor"],
        ["show", "editor0"],
        ["search", "--json", "editor"],
        ["info", str(path)],
    ):
        database = [] if arguments[0] == "info" else [f"--db={path}"]
        command = [sys.executable, "-m", "fdnix", *arguments, *database]
        screen = on_a_terminal(command, NO_COLOR="1", COLUMNS="200")
        # What is left are the styles that are ours.
        assert not re.search("[\x07\x9b\u202e]|\x1b(?!\\[[0-9;]*m)", screen)
        assert "[/x]" in screen
