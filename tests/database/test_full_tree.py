"""What a nixpkgs tree says comes into the full database, and out of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.database.connection import connect
from fdnix.database.file_info import read_file_info
from fdnix.database.full import write_full
from fdnix.database.sizes import database_info
from fdnix.database.tree import standing_tree
from fdnix.nixpkgs.catalog import decode, read_catalog
from fdnix.nixpkgs.tree import Alias, Tree, Usage
from support.catalogues import entry, settings_in, write_catalogue

if TYPE_CHECKING:
    from pathlib import Path

TREE = Tree(
    source="channel",
    revision="abc",
    systems=("x86_64-linux", "aarch64-darwin"),
    usage={
        "nginx": Usage(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        "no-package": Usage(modules=1),
    },
    usage_texts={"nginx": ("web servers", "the Nginx web server")},
    programs={"nginx": ("other",), "bind": ("dig", "named", "nslookup")},
    listed_programs={"nginx": ("nginx", "nginx-config")},
    aliases=(
        Alias("nginxStable", "nginx", None, ("nginx",)),
        Alias("gone", None, "gone was removed"),
    ),
)


def write(path: Path, tree: Tree | None) -> Path:
    catalogue = write_catalogue(
        path.with_suffix(".json"),
        {
            "nginx": entry("nginx", mainProgram="nginx"),
            "bind": entry("bind", mainProgram="named"),
            "hello": entry("hello", mainProgram="hello"),
            "libfoo": entry("libfoo"),
        },
    )
    write_full(
        path,
        decode(read_catalog(catalogue)),
        expected=4,
        content_hash=lambda package: package.package_id,
        dimensions=4,
        rejected_limit=0,
        meta={"source": "file", "embedding_text_version": 1},
        tree=tree,
    )
    return path


def test_usage_texts_programs_and_aliases_are_in_the_full_database(tmp_path: Path) -> None:
    with connect(write(tmp_path / "db", TREE), read_only=True) as connection:
        meta = read_file_info(connection, tmp_path / "db", kind="full")
        packages = connection.execute(
            "SELECT package_id, programs, programs_source, usage_texts FROM packages"
            " ORDER BY package_id"
        ).fetchall()
        usage = connection.execute("FROM usage").fetchall()
        aliases = connection.execute("FROM aliases").fetchall()
    assert packages == [
        # The main program stands first wherever it was learnt.
        ("bind", ["named", "dig", "nslookup"], "tree", None),
        ("hello", ["hello"], "meta", None),
        ("libfoo", None, None, None),
        ("nginx", ["nginx", "nginx-config"], "channel", list(TREE.usage_texts["nginx"])),
    ]
    assert usage == [("nginx", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)]
    assert aliases == [
        ("gone", None, "gone was removed", []),
        ("nginxStable", "nginx", None, ["nginx"]),
    ]
    assert (meta["tree_source"], meta["tree_revision"]) == ("channel", "abc")
    assert meta["systems"] == "x86_64-linux aarch64-darwin"
    assert [meta[f"programs_from_{source}"] for source in ("channel", "tree", "meta")] == ["1"] * 3


def test_what_a_database_was_told_can_be_told_to_the_next(tmp_path: Path) -> None:
    again = standing_tree(write(tmp_path / "db", TREE))
    assert again is not None
    assert (again.source, again.revision) == ("channel", "abc")
    assert again.systems == TREE.systems
    assert again.usage == {"nginx": TREE.usage["nginx"]}
    assert again.usage_texts == TREE.usage_texts
    assert again.programs == {"bind": ("named", "dig", "nslookup")}
    assert again.listed_programs == TREE.listed_programs
    assert set(again.aliases) == set(TREE.aliases)
    assert standing_tree(write(tmp_path / "without", None)) is None


def test_embedding_keeps_what_the_tree_said(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", {"a": entry("a")}))
    pipeline.run(settings.replace(processing_mode="metadata"))
    with connect(settings.output_path) as connection:
        connection.execute("INSERT INTO usage VALUES ('a', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)")
        connection.execute("INSERT INTO aliases VALUES ('b', 'a', NULL, ['a'])")
    pipeline.run(settings.replace(processing_mode="embedding"))
    with connect(settings.output_path, read_only=True) as connection:
        assert connection.execute("SELECT package_id, modules FROM usage").fetchall() == [("a", 1)]
        assert connection.execute("FROM aliases").fetchall() == [("b", "a", None, ["a"])]


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (None, ["without a nixpkgs tree: popularity comes from the catalogue alone"]),
        (Tree(source="path"), ["without a channel's list of programs"]),
        (TREE, []),
    ],
)
def test_a_database_says_what_it_was_made_without(
    tree: Tree | None, says: list[str], tmp_path: Path
) -> None:
    lacks = database_info(write(tmp_path / "db", tree)).made_without
    assert len(lacks) == len(says)
    assert all(part in sentence for part, sentence in zip(says, lacks, strict=True))
