"""Packages looked up: by attribute path, by likeness and by program; from many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from fdnix import Filters, pipeline
from fdnix.errors import SettingsError
from fdnix.search import SearchIndex
from fdnix.search.package import source_url
from support.catalogues import entry, settings_in, write_catalogue
from support.trees import write_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minified database of a few packages with what the sample lacks."""
    directory = tmp_path_factory.mktemp("small")
    packages = {
        "tool": entry("tool", mainProgram="t", homepage="https://tool.example"),
        "toolset.tool": entry("tool", mainProgram="t", homepage="https://tool.example"),
        "old": entry(
            "old", insecure=True, available=False, knownVulnerabilities=["CVE-2020-1", "No fix"]
        ),
    }
    settings = settings_in(directory, write_catalogue(directory / "in.json", packages))
    pipeline.run(settings)
    return settings.output_minified_path


def test_a_package_is_had_with_all_that_the_file_holds_of_it(index: SearchIndex) -> None:
    found = index.get("ripgrep")
    assert found
    assert (found.package_id, found.main_program) == ("ripgrep", "rg")
    assert found.license == "Unlicense AND MIT"
    assert found.long_description
    assert "x86_64-linux" in found.platforms
    assert [variant.package_id for variant in found.variants] == ["ripgrep"]
    assert found.variants[0].version == found.version


def test_variants_come_with_the_package_that_is_one_of_them(small: Path) -> None:
    with SearchIndex.open(small) as index:
        found = index.get("toolset.tool")
    assert found
    assert [variant.package_id for variant in found.variants] == ["tool", "toolset.tool"]


def test_known_vulnerabilities_are_told_in_nixpkgs_words(small: Path) -> None:
    with SearchIndex.open(small) as index:
        old = index.get("old")
        tool = index.get("tool")
    assert old
    assert tool
    assert old.insecure
    assert (old.known_vulnerabilities, tool.known_vulnerabilities) == (["CVE-2020-1", "No fix"], [])


@pytest.mark.parametrize(
    "attribute",
    ["no-such-package", "", "Ripgrep", "'; DROP", "\x00", "\ud800"],
)
def test_what_is_no_attribute_path_is_none(index: SearchIndex, attribute: str) -> None:
    assert index.get(attribute) is None
    with pytest.raises(SettingsError, match="attribute: there is no package"):
        index.similar(attribute)


def test_similar_packages_are_other_ones_with_the_likest_first(index: SearchIndex) -> None:
    found = index.similar("ripgrep", 5)
    names = [package.package_id for package in found]
    assert len(names) == 5
    assert "ripgrep" not in names
    assert "gnugrep" in names[:3]
    likeness = [package.vector_similarity for package in found]
    assert likeness == sorted(likeness, reverse=True)


def test_a_program_is_found_in_the_package_that_has_it(index: SearchIndex) -> None:
    assert [(owner.package_id, owner.why) for owner in index.which("rg")] == [
        ("ripgrep", "its main program")
    ]
    [neovim, *_] = index.which("neovim")
    assert (neovim.package_id, neovim.why) == (
        "neovim",
        "has this name; its main program is nvim",
    )
    assert index.which("no-such-program") == []


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (
            "dig",
            [
                ("dig", "its main program"),
                ("bind", "one of its 6 programs; its main program is named"),
            ],
        ),
        ("NSlookup", [("bind", "one of its programs is nslookup")]),
        ("exa", [("eza", "nixpkgs leads from this name to it")]),
        ("lsblk", [("util-linux", "one of its 3 programs")]),
    ],
)
def test_every_package_that_has_a_program_is_told_likeliest_first_and_why(
    program: str, expected: list[tuple[str, str]], index: SearchIndex
) -> None:
    assert [(owner.package_id, owner.why) for owner in index.which(program)] == expected


def test_of_those_that_have_a_program_besides_what_is_named_after_it_comes_first(
    tmp_path: Path,
) -> None:
    names = ("bigsuite", "toolMinimal", "toolset", "unlike")
    build = """{ stdenv }: stdenv.mkDerivation { postInstall = ''
      install -t $out/bin tool
    ''; }"""
    files = {f"pkgs/by-name/{name[:2]}/{name}/package.nix": build for name in names}
    packages = {name: entry(name, homepage=f"https://{name}.example") for name in names}
    packages |= {f"plugins{n}.bigsuite-{n}": entry(f"bigsuite-{n}") for n in range(20)}
    settings = settings_in(
        tmp_path,
        write_catalogue(tmp_path / "in.json", packages),
        nixpkgs_tree=str(write_tree(tmp_path / "nixpkgs", files)),
    )
    pipeline.run(settings)
    with SearchIndex.open(settings.output_minified_path) as index:
        found = [owner.package_id for owner in index.which("tool")]
    assert set(found) == set(names)
    assert found[0] == "toolMinimal"


def test_one_program_of_several_variants_is_one_answer(small: Path) -> None:
    with SearchIndex.open(small) as index:
        assert [owner.package_id for owner in index.which("t")] == ["tool"]
        assert [owner.package_id for owner in index.which("T")] == ["tool"]


def test_a_path_may_be_text_and_results_are_iterated_over(minified: Path) -> None:
    with SearchIndex.open(str(minified)) as index:
        results = index.search("ripgrep")
        assert [hit.package_id for hit in results] == [hit.package_id for hit in results.hits]
        assert len(results) == len(results.hits) > 0
        assert index.info["kind"] == "minified"
        assert index.path == minified


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("text", lambda index: index.search(None)),
        ("limit", lambda index: index.search("git", limit=1001)),
        ("limit", lambda index: index.search("git", limit=-1)),
        ("limit", lambda index: index.search("git", limit="10")),
        ("offset", lambda index: index.search("git", offset=-1)),
        ("filters", lambda index: index.search("git", filters={"license": "mit"})),
        ("attribute", lambda index: index.get(7)),
        ("attribute", lambda index: index.similar(None)),
        ("limit", lambda index: index.similar("git", -1)),
        ("program", lambda index: index.which(b"rg")),
        ("limit", lambda index: index.which("rg", 10_000)),
        ("path", lambda index: SearchIndex.open(7)),  # type: ignore[arg-type]
    ],
)
def test_an_argument_that_is_not_accepted_is_named(
    argument: str, call: Any, index: SearchIndex
) -> None:
    with pytest.raises(SettingsError, match=f"^{argument}: "):
        call(index)


@pytest.mark.parametrize(
    "call",
    [
        lambda index: index.search("git", filters=Filters(free_only=True)),
        lambda index: index.get("git"),
        lambda index: index.similar("git"),
        lambda index: index.which("git"),
    ],
)
def test_a_closed_index_says_that_it_is_closed(minified: Path, call: Any) -> None:
    with SearchIndex.open(minified) as index:
        call(index)
    with pytest.raises(SettingsError, match="this index is closed"):
        call(index)
    index.close()


def test_threads_that_are_at_work_while_the_index_closes_end_well(minified: Path) -> None:
    index = SearchIndex.open(minified)
    ready = Barrier(5)

    def work() -> str:
        index.search("warm up")
        ready.wait()
        try:
            while True:
                assert index.search("terminal file manager").hits
                assert index.get("git")
                assert index.which("rg")
        except SettingsError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        ended = [pool.submit(work) for _ in range(4)]
        ready.wait()
        index.close()
        assert all("is closed" in future.result(timeout=60) for future in ended)


def test_the_line_of_a_package_is_linked_at_the_revision_that_was_indexed() -> None:
    url = source_url("pkgs/by-name/ri/ripgrep/package.nix:12", "0b4defa2584f")
    assert url == (
        "https://github.com/NixOS/nixpkgs/blob/0b4defa2584f/pkgs/by-name/ri/ripgrep/package.nix#L12"
    )
    assert source_url("pkgs/x.nix:12", None) is None
    assert source_url("pkgs/x.nix:12", "../../evil") is None
    assert source_url('pkgs/"onmouseover=x:12', "0b4defa2584f") is None
    assert source_url(None, "0b4defa2584f") is None
