"""What looks packages up on the command line, and which index it reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fdnix import pipeline
from fdnix.cli import index_file
from fdnix.errors import SettingsError
from support.catalogues import entry, settings_in, write_catalogue


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minified database of packages that nixpkgs does and does not let one have."""
    directory = tmp_path_factory.mktemp("few")
    packages = {
        "tool": entry("tool", mainProgram="t", homepage="https://tool.example"),
        "toolset.tool": entry("tool", version="0.9", homepage="https://tool.example"),
        "paid": entry("paid", unfree=True, available=False),
        "old": entry("old", insecure=True, available=False, knownVulnerabilities=["CVE-2020-1"]),
        "long": entry("long", description="word " * 60 + "end", position="pkgs/long.nix:3"),
    }
    settings = settings_in(directory, write_catalogue(directory / "in.json", packages))
    pipeline.run(settings)
    return settings.output_minified_path


def fdnix(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a pipe, told of no index but by `env`."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in {"FDNIX_DB", "OUTPUT_MINIFIED_PATH"}
    }
    return subprocess.run(
        [sys.executable, "-m", "fdnix", *map(str, arguments)],
        env=environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_show_prints_what_there_is_a_line_each_and_nothing_wrapped(few: Path) -> None:
    ended = fdnix("show", "long", "--db", few)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "long  1.0"
    assert lines[1].strip() == "word " * 60 + "end"
    assert "source:      pkgs/long.nix:3" in lines
    assert not any(line.startswith("home page") for line in lines)


def test_show_tells_the_command_that_works_and_why_it_is_not_the_usual_one(few: Path) -> None:
    old = fdnix("show", "old", "--db", few).stdout
    assert "[insecure]" in old
    assert "NIXPKGS_ALLOW_INSECURE=1 nix shell --impure nixpkgs#old" in old
    assert "known vulnerabilities:\n    CVE-2020-1\n" in old
    paid = fdnix("show", "paid", "--db", few).stdout
    assert "NIXPKGS_ALLOW_UNFREE=1 nix shell --impure nixpkgs#paid" in paid


def test_show_as_json_has_the_variants_with_their_versions(few: Path) -> None:
    shown = json.loads(fdnix("show", "tool", "--json", "--db", few).stdout)
    assert [(variant["package_id"], variant["version"]) for variant in shown["variants"]] == [
        ("tool", "1.0"),
        ("toolset.tool", "0.9"),
    ]
    assert shown["main_program"] == "t"


@pytest.mark.parametrize("command", ["show", "similar"])
def test_an_unknown_attribute_path_is_met_with_the_nearest_names(command: str, few: Path) -> None:
    ended = fdnix(command, "toool", "--db", few)
    assert ended.returncode == 2
    assert "the nearest: tool" in ended.stderr
    assert ended.stdout == ""


def test_show_has_all_programs_and_how_well_known_a_package_is(minified: Path) -> None:
    shown = fdnix("show", "bind", "--db", minified).stdout.splitlines()
    assert "program:     named" in shown
    assert "programs:    named dig host nslookup nsupdate dnssec-keygen" in shown
    assert "also called: dnsutils" in shown
    [popularity] = [line for line in shown if line.startswith("popularity: ")]
    assert 0 <= float(popularity.split()[1]) <= 1


def test_another_name_of_a_package_leads_to_it_and_is_said(minified: Path) -> None:
    shown = fdnix("show", "nodejs", "--db", minified)
    assert shown.returncode == 0
    assert shown.stdout.startswith("nodejs_24  ")
    assert shown.stderr == "nodejs stands for nodejs_24 in nixpkgs\n"
    found = json.loads(fdnix("show", "transmission", "--json", "--db", minified).stdout)
    assert (found["package_id"], found["aliases"]) == ("transmission_4", ["transmission"])
    assert fdnix("similar", "nodejs", "--db", minified).returncode == 0


def test_what_was_removed_is_said_with_what_to_use_instead(minified: Path) -> None:
    ended = fdnix("show", "exa", "--db", minified)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "exa was removed from nixpkgs: \"'exa' has been removed as it is" in ended.stderr
    assert "the nearest: eza" in ended.stderr
    found = fdnix("search", "exa", "--limit", 1, "--db", minified)
    assert found.stdout.startswith("eza  ")
    assert "exa was removed from nixpkgs" in found.stderr


def test_which_names_the_package_of_a_program(few: Path) -> None:
    ended = fdnix("which", "t", "--db", few)
    assert ended.stdout.splitlines()[0] == "tool  1.0"
    assert "    its main program" in ended.stdout
    nothing = fdnix("which", "no-such-program", "--db", few)
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "nothing found" in nothing.stderr


def test_similar_packages_are_shown_with_how_similar_they_are(few: Path) -> None:
    found = json.loads(fdnix("similar", "paid", "--json", "--db", few).stdout)
    assert found
    assert "paid" not in {package["package_id"] for package in found}
    assert all(package["vector_similarity"] <= 1 for package in found)


def test_lines_are_made_to_be_cut_at_their_tabs(few: Path) -> None:
    ended = fdnix("search", "--format", "lines", "--limit", 1, "--db", few, "long")
    assert ended.stdout == "long\t1.0\t" + "word " * 60 + "end\n"


def test_every_command_finds_the_index_that_the_user_has(few: Path, tmp_path: Path) -> None:
    own = tmp_path / "fdnix/fdnix.duckdb"
    own.parent.mkdir()
    own.write_bytes(few.read_bytes())
    data = str(tmp_path)
    for command in (["show", "tool"], ["search", "tool"], ["which", "t"], ["similar", "tool"]):
        ended = fdnix(*command, XDG_DATA_HOME=data, HOME=data)
        assert ended.returncode == 0, ended.stderr


def test_an_option_wins_over_variables_and_these_over_the_users_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("option", "first", "second", "own", "container")
    option, first, second, own, container = (tmp_path / name for name in names)
    monkeypatch.setattr(index_file, "user_index", lambda: own)
    monkeypatch.setattr(index_file, "CONTAINERS_INDEX", container)
    variables = {"FDNIX_DB": str(first), "OUTPUT_MINIFIED_PATH": str(second)}
    with pytest.raises(SettingsError, match=r"`fdnix update`.*--db"):
        index_file.find_index(None, {})
    for path in (option, first, second, own, container):
        path.touch()
    assert index_file.find_index(option, variables) == option
    assert index_file.find_index(None, variables) == first
    assert index_file.find_index(None, {"OUTPUT_MINIFIED_PATH": str(second)}) == second
    assert index_file.find_index(None, {"FDNIX_DB": ""}) == own
    own.unlink()
    assert index_file.find_index(None, {}) == container
    first.unlink()
    with pytest.raises(SettingsError, match="as FDNIX_DB says"):
        index_file.find_index(None, variables)


def test_an_index_of_more_than_a_month_is_said_to_be_old() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)

    def warning(made: str | None) -> str | None:
        info = {} if made is None else {"metadata_at": made}
        return index_file.age_warning(info, Path("fdnix.duckdb"), now)

    old = warning("2026-10-01T03:00:00+00:00")
    assert old
    assert "2026-10-01, 54 days old" in old
    assert "fdnix update" in old
    assert warning("2026-10-26T00:00:00+00:00") is None
    assert warning("soon") is None
    assert warning(None) is None


@pytest.mark.parametrize("module", ["click.core", "fdnix.cli", "fdnix.cli.lookup", "duckdb"])
def test_ctrl_c_ends_without_a_traceback_whatever_is_being_imported(module: str, few: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "fdnix", "show", "tool", "--db", str(few)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == module:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode in {0, 130}
    assert "Traceback" not in rest
    assert "KeyboardInterrupt" not in rest


def test_what_the_output_cannot_hold_is_replaced_and_json_stays_whole(tmp_path: Path) -> None:
    source = write_catalogue(
        tmp_path / "in.json", {"tool": entry("tool", description="Ein Wörterbuch 辞書")}
    )
    settings = settings_in(tmp_path, source)
    pipeline.run(settings)
    shown = []
    for options in ([], ["--json"]):
        path = str(settings.output_minified_path)
        ended = subprocess.run(
            [sys.executable, "-m", "fdnix", "show", "tool", "--db", path, *options],
            env=os.environ | {"PYTHONIOENCODING": "latin-1"},
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        shown.append(ended.stdout)
    assert "Ein Wörterbuch ??".encode("latin-1") in shown[0]
    assert json.loads(shown[1])["description"] == "Ein Wörterbuch 辞書"
