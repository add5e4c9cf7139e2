"""What the command line loads: a search, and help, no more than they need."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from fdnix.cli import cli
from fdnix.cli.index_file import CONTAINERS_INDEX
from fdnix.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Collection

ROOT = Path(__file__).parents[2]
EXTRAS = {"boto3", "brotli", "httpx", "msgspec", "numpy", "packaging", "pyarrow", "pydantic"} | {
    "duckdb_extension_fts",
    "duckdb_extension_vss",
    "zstandard",
}
"""The modules of the extras `index` and `aws`."""

NOT_FOR_SEARCH = EXTRAS | {"rich"}

MAIN = """
import atexit, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
atexit.register(lambda: print("loaded:", *sys.modules))
from fdnix.cli import main
main(sys.argv[1:])
"""


def fdnix(
    *arguments: str, absent: Collection[str] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a Python of its own that lacks modules, and says at its end what it has."""
    return subprocess.run(
        [sys.executable, "-c", MAIN.format(absent=sorted(absent)), *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (["--help"], {}),
        (["--version"], {}),
        (["search", "--help"], {}),
        ([], {"_FDNIX_COMPLETE": "bash_complete", "COMP_WORDS": "fdnix s", "COMP_CWORD": "1"}),
    ],
    ids=["help", "version", "help of search", "completion"],
)
def test_what_only_tells_of_commands_loads_neither_the_extras_nor_rich_nor_duckdb(
    arguments: list[str], env: dict[str, str]
) -> None:
    ended = fdnix(*arguments, **env)
    assert ended.returncode == 0, ended.stderr
    said, _, loaded = ended.stdout.rpartition("loaded: ")
    assert said
    assert set(loaded.split()).isdisjoint(EXTRAS | {"rich", "duckdb"})


def test_a_search_loads_nothing_that_only_a_run_needs(indexed: Path) -> None:
    ended = fdnix("search", "--json", "--db", str(indexed / "fdnix.duckdb"), "editor")
    assert ended.returncode == 0, ended.stderr
    loaded = ended.stdout.rpartition("loaded: ")[2].split()
    assert "duckdb" in loaded
    assert NOT_FOR_SEARCH.isdisjoint(loaded)


def test_without_the_extras_searching_is_explained_and_indexing_says_what_to_install() -> None:
    assert fdnix("search", "--help", absent=EXTRAS).returncode == 0
    ended = fdnix("run", absent=EXTRAS)
    assert ended.returncode == 2
    assert "is not installed: pip install 'fdnix[index]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_extras_are_those_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    declared = {name.split(">")[0].split("=")[0] for name in extras["index"] + extras["aws"]}
    modules = packages_distributions()
    assert declared - {"fdnix[index]"} == {
        distribution.lower().replace("_", "-")
        for module in EXTRAS
        for distribution in modules[module]
    }


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    context = click.Context(cli)
    for name, listed in cli.commands.items():
        _, command, _ = cli.resolve_command(context, [name])
        assert command
        assert command.name == name
        assert command.get_short_help_str(200) == listed.get_short_help_str(200)


def test_a_search_reads_the_file_that_a_run_writes_by_default() -> None:
    assert load_settings({}).output_minified_path == CONTAINERS_INDEX
