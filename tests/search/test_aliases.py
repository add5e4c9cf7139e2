"""Names that are no packages: what became of them is said, and what stands in their place found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.errors import SettingsError
from fdnix.search import SearchIndex
from support.catalogues import entry, settings_in, write_catalogue
from support.search import bare_client
from support.trees import PACKAGES, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUILL = "'quill' has been removed, it needed 'ink'. Use probe-tools or 'editit'"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minified database of the small tree's packages."""
    folder = tmp_path_factory.mktemp("aliases")
    packages = {
        name: entry(name.rpartition(".")[2], **({"position": position} if position else {}))
        for name, position in PACKAGES.items()
    }
    source = write_catalogue(folder / "in.json", packages)
    settings = settings_in(folder, source, nixpkgs_tree=str(write_tree(folder / "nixpkgs")))
    pipeline.run(settings)
    return settings.output_minified_path


@pytest.fixture(scope="module")
def old(file: Path) -> Iterator[SearchIndex]:
    with SearchIndex.open(file) as index:
        yield index


@pytest.mark.parametrize(
    ("query", "note", "found"),
    [
        ("oldserver", "oldserver was renamed to serverd", ["serverd"]),
        ("Old-Server", "oldserver was renamed to serverd", ["serverd"]),
        ("oldserver is:working", "oldserver was renamed to serverd", ["serverd"]),
        ("frontd", "frontd stands for serverd in nixpkgs", ["serverd"]),
        ("webserver", "nixpkgs says of webserver: \"Use 'serverd' instead\"", ["serverd"]),
        ("quill", f'quill was removed from nixpkgs: "{QUILL}"', ["editit", "probe-tools"]),
        (
            "farewell",
            'farewell was removed from nixpkgs: "farewell was removed, its "author" ${left}"',
            [],
        ),
        (
            "python3Packages.Web_Lib",
            "python3Packages.Web_Lib stands for python313Packages.web-lib in nixpkgs",
            ["python313Packages.web-lib"],
        ),
    ],
)
def test_a_query_for_what_was_renamed_or_removed_says_so_and_finds_what_took_its_place(
    old: SearchIndex, file: Path, query: str, note: str, found: list[str]
) -> None:
    results = old.search(query)
    assert results.notice == note
    led = [hit.package_id for hit in results if hit.why == "nixpkgs leads from this name to it"]
    assert sorted(led) == found
    with bare_client(file) as client:
        assert client.execute("FROM fdnix_notes(?)", [query]).fetchall() == [(note,)]


@pytest.mark.parametrize("query", ["serverd", "server", "", "old server thing"])
def test_other_queries_say_nothing(old: SearchIndex, query: str) -> None:
    assert old.search(query).notice is None


def test_a_name_that_is_spelt_nearly_as_a_package_is_says_so_only_as_it_stands(
    tmp_path: Path,
) -> None:
    aliases = {"pkgs/top-level/aliases.nix": "mapAliases { Tool = tool; kit = tool; }"}
    settings = settings_in(
        tmp_path,
        write_catalogue(tmp_path / "in.json", {"tool": entry("tool")}),
        nixpkgs_tree=str(write_tree(tmp_path / "nixpkgs", aliases)),
    )
    pipeline.run(settings)
    with SearchIndex.open(settings.output_minified_path) as index:
        assert index.search("tool").notice is None
        assert index.search("TOOL").notice is None
        renamed = index.search("Tool")
        assert (renamed.notice, renamed.hits[0].package_id) == (
            "Tool stands for tool in nixpkgs",
            "tool",
        )
        assert index.search("kit").notice == "kit stands for tool in nixpkgs"


def test_an_alias_is_told_with_what_to_use(old: SearchIndex) -> None:
    renamed, removed = old.alias("oldserver"), old.alias("quill")
    assert renamed
    assert removed
    assert (renamed.target, renamed.means_target) == ("serverd", True)
    assert (removed.successors, removed.means_target) == (["probe-tools", "editit"], False)
    assert old.alias("farewell")
    assert old.alias("serverd") is None
    assert old.alias("no-such-name") is None
    with pytest.raises(SettingsError, match=r"^name: 7 is no text"):
        old.alias(7)  # type: ignore[arg-type]


def test_a_package_has_the_names_that_mean_it(old: SearchIndex) -> None:
    serverd, editit = old.get("serverd"), old.get("editit")
    assert serverd
    assert editit
    assert serverd.aliases == ["frontd", "oldserver", "serverMinimal"]
    assert editit.aliases == []


@pytest.mark.parametrize("query", ["vimPlugins.vim-old", "vim-old", "python3Packages.Web_Lib"])
def test_a_former_name_in_a_set_finds_what_took_its_place(old: SearchIndex, query: str) -> None:
    assert old.search(query).hits[0].package_id in {
        "vimPlugins.vim-new",
        "python313Packages.web-lib",
    }


def test_an_index_without_a_tree_knows_no_alias(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", {"a": entry("a")}))
    pipeline.run(settings)
    with SearchIndex.open(settings.output_minified_path) as index:
        assert index.alias("b") is None
        assert index.search("b").notice is None
