"""What a nixpkgs tree says of packages, read out of a small one in nixpkgs' own forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix.nixpkgs.tree import Alias, Tree, Usage, read_tree
from fdnix.nixpkgs.tree.files import TreeFile, in_directory
from support.trees import FILES, PACKAGES, program_list, write_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    root = write_tree(tmp_path_factory.mktemp("nixpkgs"))
    return read_tree(in_directory(root), PACKAGES, source="path")


def test_each_kind_of_use_is_counted_by_files(tree: Tree) -> None:
    assert tree.usage["serverd"] == Usage(
        modules=1,
        module_options=1,
        own_modules=1,
        configured=1,
        tests=2,
        own_tests=1,
        release_notes=1,
        manual=1,
    )
    # A module whose name no package has is of the package that it runs.
    assert tree.usage["editit"] == Usage(
        modules=1, module_options=1, own_modules=1, tests=1, release_notes=1, manual=1
    )
    assert tree.usage["probe-tools"] == Usage(modules=1, manual=1, arguments=1)


def test_what_is_said_of_an_alias_counts_for_what_it_stands_for(tree: Tree) -> None:
    assert tree.usage["python313"] == Usage(modules=1, doc=1, arguments=1)
    assert tree.usage["python313Packages.web-lib"] == Usage(doc=1)
    assert set(tree.usage) < set(PACKAGES)


def test_texts_are_what_modules_and_desktop_items_say(tree: Tree) -> None:
    assert tree.usage_texts == {
        "serverd": ("Serverd, the web server that serves", "Serverd Web Server", "web servers"),
        "editit": (
            "the remote editing daemon",
            "networking",
            "Edit texts with many cursors",
            "Text Editor",
            "utility, text editor",
        ),
    }


def test_programs_are_those_that_build_texts_of_the_package_and_of_others_name(tree: Tree) -> None:
    assert set(tree.programs["serverd"]) == {
        "server-status",
        "server-reload",
        "serverd",
        "serverd-daemon",
        "certify",
        "rotate",
        "one",
        "two",
        "serverd-run",
    }
    assert set(tree.programs["editit"]) == {"editit", "editctl", "edit-it", "edit-gui"}
    assert set(tree.programs["probe-tools"]) == {"probe-net", "probe-sh"}
    assert tree.programs["python313"] == ("python3",)


def test_aliases_have_their_targets_and_nixpkgs_own_words(tree: Tree) -> None:
    assert {alias.name: (alias.target, alias.message) for alias in tree.aliases} == {
        "oldserver": ("serverd", "'oldserver' has been renamed to/replaced by 'serverd'"),
        "farewell": (None, 'farewell was removed, its "author" ${left}'),
        "webserver": ("serverd", "Use 'serverd' instead"),
        "frontd": ("serverd", None),
        "advice": (None, "advice has been removed. Use something else"),
        "quill": (
            "probe-tools",
            "'quill' has been removed, it needed 'ink'. Use probe-tools or 'editit'",
        ),
        "tools.probe": ("probe-tools", "moved"),
        "python3": ("python313", None),
        "python3Packages": ("python313Packages", None),
        "python3Packages.Web_Lib": ("python313Packages.web-lib", None),
        "serverMinimal": ("serverd", None),
        "vimPlugins.vim-old": ("vimPlugins.vim-new", None),
    }


def test_what_a_message_suggests_are_successors_where_they_are_packages(tree: Tree) -> None:
    successors = {alias.name: alias.successors for alias in tree.aliases}
    assert successors["quill"] == ("probe-tools", "editit")
    assert successors["oldserver"] == successors["frontd"] == ("serverd",)
    assert successors["advice"] == successors["python3Packages"] == ()


def test_an_alias_that_is_a_package_stays_one_and_one_that_leads_nowhere_is_none(
    tmp_path: Path,
) -> None:
    root = write_tree(
        tmp_path,
        {
            **FILES,
            "pkgs/top-level/aliases.nix": "mapAliases { a = b; b = a; editit = serverd; c = d; }",
        },
    )
    tree = read_tree(in_directory(root), PACKAGES, source="path")
    names = {alias.name for alias in tree.aliases}
    assert {"a", "b", "c", "editit"}.isdisjoint(names)
    assert "edit-gui" in tree.programs["editit"]


def test_a_channels_list_of_programs_is_read_for_one_system(tmp_path: Path) -> None:
    rows = [
        ("serve", "x86_64-linux", "oldserver"),
        ("servectl", "x86_64-linux", "serverd"),
        ("only-there", "aarch64-linux", "serverd"),
        ("lost", "x86_64-linux", "unknown"),
    ]
    place = program_list(tmp_path / "programs.sqlite", rows)
    files = [
        TreeFile("programs.sqlite", place=place),
        TreeFile("pkgs/top-level/aliases.nix", FILES["pkgs/top-level/aliases.nix"].encode()),
    ]
    for system, expected in [
        ("x86_64-linux", {"serverd": {"serve", "servectl"}}),
        ("aarch64-linux", {"serverd": {"only-there"}}),
        ("riscv64-linux", {"serverd": {"serve", "servectl"}}),
    ]:
        tree = read_tree(files, PACKAGES, source="channel", system=system)
        assert {name: set(found) for name, found in tree.listed_programs.items()} == expected


@pytest.mark.parametrize(
    "content",
    [
        b"no database",
        b"SQLite format 3\0" + b"\xff" * 4096,
        b"",
    ],
)
def test_a_damaged_list_of_programs_is_named_and_left_out(content: bytes, tmp_path: Path) -> None:
    place = tmp_path / "programs.sqlite"
    place.write_bytes(content)
    skipped = []
    tree = read_tree(
        [TreeFile("programs.sqlite", place=place)],
        PACKAGES,
        source="channel",
        skip=lambda path, reason: skipped.append((path, reason)),
    )
    assert tree.listed_programs == {}
    assert [path for path, _ in skipped] == ["programs.sqlite"]


def test_the_revision_is_the_trees_own(tmp_path: Path) -> None:
    revision = "0b4defa2584f8ea2f6e5c9a1b3d7f60819a2c3e4"
    root = write_tree(tmp_path, {**FILES, ".git-revision": f"{revision}\n"})
    assert read_tree(in_directory(root), PACKAGES, source="path").revision == revision
    (root / ".git-revision").write_text("<script>")
    assert read_tree(in_directory(root), PACKAGES, source="path").revision is None


@pytest.mark.parametrize(
    "text",
    [
        '\udcff\udcfe{ a }: "${',
        '"' * 20_000,
        '"${' * 20_000,
        "''${" * 20_000,
        "{ a = " * 20_000,
        "/* " * 20_000,
        "with pkgs; [ " * 20_000,
        "mkPackageOption pkgs " * 20_000,
        "for x in a " * 20_000,
        'makeDesktopItem { categories = [ "' * 10_000,
        "install $out/bin/a " * 50_000,
        "for a in " + "b " * 50_000 + "\n" + "$out/bin/$a " * 1000,
        "bin/" * 20_000 + "${" * 20_000,
        "[a](" * 20_000,
        "systemd.services.x = {\n" * 10_000,
    ],
)
def test_no_text_is_too_odd_to_be_read_in_little_time(text: str) -> None:
    content = text.encode(errors="surrogateescape")
    paths = ["pkgs/top-level/aliases.nix", "pkgs/by-name/se/serverd/package.nix"]
    paths += ["nixos/modules/services/x/serverd.nix", "nixos/tests/x.nix", "doc/x.md"]
    paths += ["pkgs/x.nix", "pkgs/by-name/x.nix", "nixos/modules/x.nix", "nixos/doc/x.md"]
    tree = read_tree([TreeFile(path, content) for path in paths], PACKAGES, source="path")
    assert set(tree.usage) <= set(PACKAGES)
    assert all(isinstance(alias, Alias) for alias in tree.aliases)
