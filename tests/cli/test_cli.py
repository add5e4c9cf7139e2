"""What the commands promise: help with examples, exit codes, JSON, and errors in one message."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fdnix.cli import cli, main
from fdnix.database.connection import connect
from fdnix.database.full import verify_counts
from fdnix.progress import log
from support.catalogues import entries, entry, write_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fdnix = Callable[..., "Ended"]


class Ended:
    """How a command ended, and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def message(self) -> str:
        """The error, which is the end of what went to standard error."""
        assert "Traceback" not in self.err, self.err
        assert self.err.count("fdnix: ") == 1, self.err
        return self.err[self.err.index("fdnix: ") + len("fdnix: ") :]


@pytest.fixture
def fdnix(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Fdnix]:
    """Runs a command in an empty directory, told by its arguments and by nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTPUT_PATH", str(tmp_path / "out/full.duckdb"))
    monkeypatch.setenv("OUTPUT_MINIFIED_PATH", str(tmp_path / "out/min.duckdb"))

    def run(*arguments: object) -> Ended:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        return Ended(int(caught.value.code or 0), *capfd.readouterr())

    yield run
    log.handlers.clear()
    log.propagate = True
    log.setLevel("NOTSET")


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_every_help_says_what_the_command_does_and_shows_an_example(
    command: str, fdnix: Fdnix
) -> None:
    ended = fdnix(*command.split(), "--help")
    assert ended.code == 0
    assert ended.out.startswith("Usage: fdnix")
    assert re.search(r"Example: (?:\S+=\S+ )*fdnix", ended.out)
    assert max(map(len, ended.out.splitlines())) <= 100


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["run", "--mode", "fast"], ["search"], ["info"], ["run", "--no-such-option"]],
)
def test_wrong_usage_is_exit_code_2_and_shows_what_is_right(
    arguments: list[str], fdnix: Fdnix
) -> None:
    ended = fdnix(*arguments)
    assert ended.code == 2
    assert "Usage: fdnix" in ended.err
    assert "Error: " in ended.err


def test_an_option_overrides_the_variable_that_its_help_names(
    fdnix: Fdnix, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NIXPKGS_SOURCE", str(write_catalogue(tmp_path / "a.json", entries(2))))
    source = write_catalogue(tmp_path / "b.json", entries(3))
    assert json.loads(fdnix("metadata", "--json").out)["metadata"]["packages"] == 2
    ended = fdnix("metadata", "--json", "--source", source)
    assert json.loads(ended.out)["metadata"]["packages"] == 3
    assert "[NIXPKGS_SOURCE]" in fdnix("metadata", "--help").out


def test_all_wrong_settings_are_one_message_and_exit_code_2(
    fdnix: Fdnix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSS_HNSW_M", "many")
    monkeypatch.setenv("FTS_STEMMER", "klingon")
    ended = fdnix("run", "--source", "sample")
    assert ended.code == 2
    assert "VSS_HNSW_M: 'many'" in ended.message
    assert "FTS_STEMMER: 'klingon'" in ended.message


def test_one_path_for_both_databases_is_refused(fdnix: Fdnix, tmp_path: Path) -> None:
    path = tmp_path / "one.duckdb"
    ended = fdnix("run", "--source=sample", f"--output={path}", f"--minified={path}")
    assert ended.code == 2
    assert "OUTPUT_MINIFIED_PATH" in ended.message
    assert "OUTPUT_PATH too" in ended.message


def test_the_report_as_json_holds_what_the_summary_shows(fdnix: Fdnix, tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(30))
    report = json.loads(fdnix("run", "--json", "--source", source).out)
    assert report["metadata"]["packages"] == 30
    assert report["metadata"]["rejected"] == 0
    assert report["metadata"]["distinct_texts"] == 30
    assert report["embedding"]["embedded"] == 30
    assert report["embedding"]["reused"] == 0
    assert report["seconds"].keys() == {"metadata", "embedding", "minified"}
    for name, path in (("full", "out/full.duckdb"), ("minified", "out/min.duckdb")):
        assert report["bytes"][name] == (tmp_path / path).stat().st_size

    summary = fdnix("run", "--source", source).out
    for shown in ("packages", "rejected", "distinct texts", "texts embedded", "vectors reused"):
        assert shown in summary
    for size in report["bytes"].values():
        assert f"{size:,}" in summary


def test_a_second_run_embeds_nothing_and_says_so(fdnix: Fdnix, tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(30))
    fdnix("run", "--source", source)
    ended = fdnix("run", "--json", "--source", source)
    report = json.loads(ended.out)
    assert report["metadata"]["unchanged"] is True
    assert (report["embedding"]["embedded"], report["embedding"]["reused"]) == (0, 30)
    assert report["minified"]["unchanged"] is True
    assert "nothing to embed" in ended.err


def test_info_shows_every_value_in_full_and_the_tables(indexed: Path, fdnix: Fdnix) -> None:
    ended = fdnix("info", indexed / "fdnix.duckdb", "--json")
    info = json.loads(ended.out)
    assert info["meta"]["kind"] == "minified"
    assert info["bytes"] == (indexed / "fdnix.duckdb").stat().st_size
    assert {table["name"]: table["rows"] for table in info["tables"]}["packages"] == 30
    shown = fdnix("info", indexed / "fdnix.duckdb").out
    assert info["meta"]["build_id"] in shown
    assert info["meta"]["catalogue_sha256"] in re.sub(r"[\s│]", "", shown)


@pytest.mark.parametrize("command", ["embed", "minify"])
def test_a_phase_without_what_it_works_on_says_which_comes_first(
    command: str, fdnix: Fdnix
) -> None:
    ended = fdnix(command)
    assert ended.code == 4
    assert "full.duckdb: there is no such file; the phase that writes it comes first" in (
        ended.message
    )


def test_the_database_named_by_an_option_is_the_one_worked_on(
    fdnix: Fdnix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(10))
    fdnix("metadata", "--source", source, "--output", tmp_path / "mine.duckdb")
    monkeypatch.setenv("DUCKDB_PATH", str(tmp_path / "absent.duckdb"))
    embedded = fdnix("embed", "--json", "--output", tmp_path / "mine.duckdb")
    assert json.loads(embedded.out)["embedding"]["embedded"] == 10
    minified = fdnix("minify", "--json", "--output", tmp_path / "mine.duckdb")
    assert json.loads(minified.out)["minified"]["vectors"] == 10


def test_a_full_disk_while_the_catalogue_comes_in_is_one_message(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "fdnix", "metadata", "--source=-", "--output", tmp_path / "a"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        input=b" " * (2 << 20),
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert ended.returncode == 2
    assert b"File too large" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


LONG_QUERY = """
import os, sys, threading
import duckdb
from fdnix.cli import cli, main

@cli.command("long")
def long_command():
    threading.Timer(0.5, os.kill, (os.getpid(), int(sys.argv[1]))).start()
    duckdb.sql("SELECT sum(sin(a.i * b.i)) FROM range(9999999) a(i), range(9999999) b(i)").show()

main(["long"])
"""

LOST_SIGNAL = """
import os, sys, time
from fdnix.cli import cli, main

class Held:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))

@cli.command("lose")
def lose_command():
    Held()
    time.sleep(50)

main(["lose"])
"""


@pytest.mark.parametrize("script", [LONG_QUERY, LOST_SIGNAL], ids=["query", "where none can raise"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_ends_a_command_without_talk_of_a_defect(
    number: int, code: int, script: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", script, str(int(number))],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_search_asks_for_none_of_a_runs_settings(
    fdnix: Fdnix, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_PROVIDER", "bedrock")
    monkeypatch.setenv("DUCKDB_DATA_KEY", "fdnix-data.duckdb")
    monkeypatch.setenv("OUTPUT_MINIFIED_PATH", str(indexed / "fdnix.duckdb"))
    ended = fdnix("search", "--json", "editor")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["hits"]


def test_demo_searches_by_purpose_name_program_and_former_name(
    fdnix: Fdnix, tmp_path: Path
) -> None:
    ended = fdnix("demo")
    assert ended.code == 0
    first = [shown.splitlines()[1].split()[0] for shown in ended.out.split("$ fdnix search")[1:]]
    assert first == ["yazi", "postgresql", "bind", "eza"]
    assert "has the program nslookup" in ended.out
    assert "exa was removed from nixpkgs" in ended.err
    assert (tmp_path / "out/fdnix.duckdb").is_file()
    assert fdnix("demo").code == 0


def test_demo_keeps_an_index_of_another_source_and_says_where_else_to_go(
    fdnix: Fdnix, tmp_path: Path
) -> None:
    source = write_catalogue(tmp_path / "in.json", entries(20))
    full = tmp_path / "out/fdnix-data.duckdb"
    assert fdnix("metadata", "--source", source, "--output", full).code == 0
    before = full.read_bytes()
    ended = fdnix("demo")
    assert ended.code == 2
    assert "run fdnix demo in another folder" in ended.message
    assert full.read_bytes() == before


@pytest.mark.parametrize("command", ["info {}", "info --json {}", "search --db {} editor"])
def test_a_reader_that_goes_away_early_is_no_error(command: str, indexed: Path) -> None:
    arguments = command.format(f"'{indexed}/fdnix.duckdb'")
    run = f"'{sys.executable}' -m fdnix {arguments}"
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {run} 2> >(grep -v ' ms$' >&2) | true"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


# What a source can give wrongly. Each: the bytes, the exit code, and what the message says.


def _document(packages: object) -> bytes:
    return json.dumps({"version": "2", "packages": packages}).encode()


def _malformed(number: int, bad: int) -> bytes:
    packages: dict[str, Any] = dict(entries(number))
    for package_id in list(packages)[:bad]:
        packages[package_id] = entry(package_id, description=["no", "text"])
    return _document(packages)


BAD = {
    "cut off": (_document(entries(50))[:-700], 4, "the last attribute before it is"),
    "empty file": (b"", 3, "is empty"),
    "empty catalogue": (_document({}), 4, "lists no packages"),
    "a list": (b"[1, 2, 3]", 4, "is JSON but no catalogue"),
    "packages of a wrong type": (_document([1, 2]), 4, "is JSON but no catalogue"),
    "a number": (b"42", 4, "is neither JSON nor JSON compressed"),
    "another version": (b'{"version": 9, "packages": {"a": {}}}', 4, "fdnix reads 2"),
    "rubbish": (bytes(range(256)) * 100, 4, "is neither JSON nor JSON compressed"),
    "cut off gzip": (b"\x1f\x8b\x08\x00" + bytes(6), 4, "gzip"),
    "every entry malformed": (_malformed(50, 50), 4, "50 of 50 entries of the catalogue"),
    "too many malformed": (_malformed(200, 3), 4, "3 of 200 entries of the catalogue"),
    "entries that are numbers": (_document({"a": 1, "b": 2}), 4, "2 of 2 entries"),
    "nested without end": (b'{"a":' * 100_000, 4, "nested too deeply"),
}


@pytest.mark.parametrize(("data", "code", "says"), BAD.values(), ids=BAD)
def test_bad_input_is_one_clear_message_and_loses_nothing(
    data: bytes, code: int, says: str, indexed: Path, fdnix: Fdnix, tmp_path: Path
) -> None:
    output = tmp_path / "full.duckdb"
    output.write_bytes((indexed / "fdnix-data.duckdb").read_bytes())
    source = tmp_path / "packages.json"
    source.write_bytes(data)
    ended = fdnix("metadata", "--source", source, "--output", output)
    assert ended.code == code
    assert says in ended.message
    assert output.read_bytes() == (indexed / "fdnix-data.duckdb").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"full.duckdb", "packages.json"}


def _rejected(path: Path) -> list[tuple[str, str]]:
    with connect(path, read_only=True) as connection:
        verify_counts(connection, path)
        return connection.execute("FROM rejected_packages").fetchall()


def test_one_malformed_entry_in_a_hundred_is_rejected_and_the_rest_indexed(
    fdnix: Fdnix, tmp_path: Path
) -> None:
    source = tmp_path / "packages.json"
    source.write_bytes(_malformed(100, 1))
    ended = fdnix("metadata", "--source", source, "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["metadata"] | {"source": ""} == {
        "source": "",
        "revision": None,
        "tree": None,
        "packages": 99,
        "rejected": 1,
        "distinct_texts": 99,
        "unchanged": False,
    }
    assert _rejected(tmp_path / "out/full.duckdb") == [
        ("editor0", "meta.description: expected `str`, got `array`")
    ]
    assert "rejected editor0: meta.description" in ended.err


def test_an_attribute_path_that_is_listed_again_is_rejected_and_its_first_entry_stays(
    fdnix: Fdnix, tmp_path: Path
) -> None:
    parts = [f'"{name}": {json.dumps(value)}' for name, value in entries(120).items()]
    again = '"editor0": ' + json.dumps(entry("editor0", version="2.0"))
    source = tmp_path / "packages.json"
    source.write_text("{" + ", ".join([*parts, again]) + "}")
    assert fdnix("metadata", "--source", source).code == 0
    [(package_id, reason)] = _rejected(tmp_path / "out/full.duckdb")
    assert (package_id, "listed again" in reason) == ("editor0", True)


def test_a_string_of_100_mb_is_rejected_unread(fdnix: Fdnix, tmp_path: Path) -> None:
    packages = entries(120) | {"huge": entry("huge", longDescription="x" * 100_000_000)}
    source = write_catalogue(tmp_path / "packages.json", packages)
    assert fdnix("metadata", "--source", source).code == 0
    [(package_id, reason)] = _rejected(tmp_path / "out/full.duckdb")
    assert package_id == "huge"
    assert "bytes of JSON, more than" in reason


def test_thousands_of_malformed_entries_do_not_flood_the_log(fdnix: Fdnix, tmp_path: Path) -> None:
    source = tmp_path / "packages.json"
    source.write_bytes(_malformed(3000, 3000))
    ended = fdnix("metadata", "--source", source)
    assert ended.code == 4
    assert "3,000 of 3,000 entries" in ended.message
    assert len(ended.err.splitlines()) < 50


@pytest.mark.parametrize("command", [("search", "x", "--db"), ("info",)])
def test_a_file_name_that_is_not_utf8_is_told_in_words(fdnix: Fdnix, command: tuple[str]) -> None:
    name = os.fsdecode(b"ind\xffex.duckdb")
    Path(name).write_bytes(b"x" * 20_000)
    ended = fdnix(*command, name)
    assert ended.code in {2, 4}
    assert "ind" in ended.message


def test_a_catalogue_whose_name_is_not_utf8_is_read_or_told_in_words(fdnix: Fdnix) -> None:
    name = os.fsdecode(b"cat\xff.json")
    write_catalogue(Path(name), entries(20))
    assert fdnix("metadata", "--source", name).code == 0
    Path(name).write_text("nothing")
    ended = fdnix("metadata", "--source", name)
    assert ended.code in {2, 4}
    assert "cat" in ended.message
    ended = fdnix("run", "--source", "sample", "--output", os.fsdecode(b"f\xff.duckdb"))
    assert ended.code == 2
    assert "not UTF-8" in ended.message


def test_what_a_file_says_is_no_markup_of_a_table(fdnix: Fdnix) -> None:
    write_catalogue(Path("in.json"), entries(20))
    assert fdnix("run", "--source", "in.json").code == 0
    with connect(Path("out/full.duckdb")) as connection:
        connection.execute(
            "UPDATE fdnix_meta SET value = '[/x] [bold]y :smile:' WHERE key = 'source'"
        )
    ended = fdnix("info", "out/full.duckdb")
    assert ended.code == 0
    assert "[/x] [bold]y :smile:" in ended.out


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_stream_is_no_failure(indexed: Path, closed: int) -> None:
    database = indexed / "fdnix.duckdb"
    before = database.read_bytes()
    command = f'exec "$0" -m fdnix search --db "$1" --limit 1 editor {closed}>&-'
    ended = subprocess.run(
        ["sh", "-c", command, sys.executable, str(database)], check=False, capture_output=True
    )
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr
    assert bool(ended.stdout) == (closed != 1)
    assert database.read_bytes() == before
