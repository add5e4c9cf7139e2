"""An assistant's way: the SDK's own client starts `fdnix mcp` and asks it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from fdnix import pipeline
from fdnix.database.atomic import copied
from fdnix.database.file_info import write_file_info
from fdnix.search import SearchIndex
from fdnix.web.mcp import MAX_ANSWER, server
from support.catalogues import entries, entry, settings_in, write_catalogue

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minified database with what makes answers long."""
    directory = tmp_path_factory.mktemp("mcp")
    same = {"homepage": "https://many.example", "longDescription": "word " * 3000}
    packages = entries(20) | {
        "tool": entry("tool", mainProgram="t"),
        "old": entry(
            "old",
            insecure=True,
            available=False,
            knownVulnerabilities=[f"CVE-2020-{number}: {'bad ' * 100}" for number in range(60)],
        ),
        **{f"set{number}.many": entry("many", **same) for number in range(200)},
        "many": entry("many", description="d " * 2000, **same),
        **{
            f"wordy{'y' * 80}{chr(97 + number)}": entry("wordy", description="wordy " * 200)
            for number in range(20)
        },
    }
    settings = settings_in(directory, write_catalogue(directory / "in.json", packages))
    pipeline.run(settings)
    return settings.output_minified_path


def started(database: Path) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "fdnix", "mcp", "--db", str(database)],
        env=dict(os.environ),
    )


def asked(database: Path, *calls: tuple[str, dict[str, object]]) -> list[Any]:
    """The answers of one server to some calls of its tools."""

    async def ask() -> list[Any]:
        async with Client(started(database)) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return anyio.run(ask)


def text(answer: Any) -> str:
    [content] = answer.content
    assert len(content.text) <= MAX_ANSWER
    return str(content.text)


def test_the_tools_are_three_that_only_read_and_are_told_of_shortly(database: Path) -> None:
    async def listed() -> Any:
        async with Client(started(database)) as client:
            return await client.list_tools()

    answer = anyio.run(listed)
    assert [tool.name for tool in answer.tools] == [
        "search_packages",
        "package_details",
        "find_program",
    ]
    assert all(tool.annotations.read_only_hint for tool in answer.tools)
    assert all(tool.description for tool in answer.tools)
    assert len(answer.model_dump_json()) < MAX_ANSWER


def test_the_assistant_is_told_of_what_the_index_is(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "fdnix.duckdb"
    with copied(database, path) as connection:
        write_file_info(connection, {"channel": "nixos-26.05", "nixpkgs_revision": "abcdef1"})
    with SearchIndex.open(path) as index:
        told = server(index).instructions
    assert told is not None
    assert re.search(r"Index: \d+ packages, read 20.*, nixos-26\.05, abcdef1\.$", told)


def test_an_assistant_searches_and_asks_for_details(database: Path) -> None:
    found, details, program = asked(
        database,
        ("search_packages", {"query": "tool", "limit": 3}),
        ("package_details", {"attribute": "nixpkgs#tool"}),
        ("find_program", {"program": "t"}),
    )
    assert text(found).startswith("tool 1.0: ")
    assert "get it: nix shell nixpkgs#tool" in text(details)
    assert "program: t" in text(details)
    assert "(its main program)" in text(program)


def test_a_filter_in_the_query_narrows_the_search(database: Path) -> None:
    [found] = asked(database, ("search_packages", {"query": "old is:secure"}))
    assert "old 1.0" not in text(found)


def test_what_nixpkgs_refuses_comes_with_the_reason_and_the_command_that_works(
    database: Path,
) -> None:
    [details] = asked(database, ("package_details", {"attribute": "old"}))
    assert "[insecure]" in text(details)
    assert "NIXPKGS_ALLOW_INSECURE=1 nix shell --impure nixpkgs#old" in text(details)
    assert "known vulnerabilities: CVE-2020-0" in text(details)


def test_the_longest_answers_stay_short_and_say_what_is_left_out(database: Path) -> None:
    details, found = asked(
        database,
        ("package_details", {"attribute": "many"}),
        ("search_packages", {"query": "wordy", "limit": 20}),
    )
    assert "and 177 more" in text(details)
    assert len(text(found)) == MAX_ANSWER
    assert text(found).endswith("…")


def test_an_unknown_package_is_an_error_that_names_the_nearest(database: Path) -> None:
    [answer] = asked(database, ("package_details", {"attribute": "toool"}))
    assert answer.is_error
    assert "the nearest: tool" in text(answer)


def test_a_former_name_leads_to_the_package_or_says_what_to_use(minified: Path) -> None:
    renamed, removed, program, known = asked(
        minified,
        ("package_details", {"attribute": "nodejs"}),
        ("package_details", {"attribute": "exa"}),
        ("find_program", {"program": "nslookup"}),
        ("package_details", {"attribute": "bind"}),
    )
    assert text(renamed).startswith("nodejs stands for nodejs_24 in nixpkgs\nnodejs_24 ")
    assert removed.is_error
    assert "exa was removed from nixpkgs" in text(removed)
    assert "the nearest: eza" in text(removed)
    assert "(one of its 6 programs; its main program is named)" in text(program)
    assert "programs: named dig host" in text(known)
    assert "popularity: 0." in text(known)


def test_what_nothing_is_known_of_is_said(database: Path) -> None:
    found, program = asked(
        database,
        ("search_packages", {"query": "xqzzjvwk"}),
        ("find_program", {"program": "no-such-program"}),
    )
    assert text(found) == "0 of 0"
    assert "no package is known" in text(program)


def running(database: Path) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [sys.executable, "-m", "fdnix", "mcp", "--db", str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.stdin
    assert server.stdout
    server.stdin.write(
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
        b'"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}\n'
    )
    server.stdin.flush()
    assert b'"serverInfo"' in server.stdout.readline()
    return server


def test_the_server_ends_when_its_assistant_goes(database: Path) -> None:
    server = running(database)
    out, err = server.communicate(timeout=30)
    assert (server.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_though_its_assistant_is_still_there(
    number: signal.Signals, database: Path
) -> None:
    server = running(database)
    server.send_signal(number)
    assert server.wait(timeout=30) == 128 + number
    assert server.stderr
    assert server.stderr.read() == b"fdnix: stopped\n"
    server.communicate()
