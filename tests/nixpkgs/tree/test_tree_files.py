"""A tree is read out of a directory or a tarball, whatever these hold."""

from __future__ import annotations

import io
import lzma
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from fdnix.errors import DataError
from fdnix.nixpkgs.tree import read_tree
from fdnix.nixpkgs.tree.files import MAX_FILE_BYTES, in_directory, in_tarball
from support.trees import FILES, PACKAGES, program_list, tarball, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fdnix.nixpkgs.tree.files import TreeFile

MAX_BYTES = 100_000_000


def unpacked(path: Path, **options: object) -> Iterator[TreeFile]:
    given: dict[str, object] = {"max_bytes": MAX_BYTES, **options}
    return in_tarball(path, path.parent, **given)  # type: ignore[arg-type]


def test_a_tarball_says_what_its_directory_says(tmp_path: Path) -> None:
    packed = tmp_path / "nixexprs.tar.xz"
    packed.write_bytes(tarball())
    root = write_tree(tmp_path / "root")
    from_tarball = read_tree(unpacked(packed), PACKAGES, source="channel")
    assert from_tarball == read_tree(in_directory(root), PACKAGES, source="channel")
    assert sorted(tmp_path.iterdir()) == [packed, root]


def test_a_channels_list_of_programs_is_found_in_both(tmp_path: Path) -> None:
    listed = program_list(tmp_path / "list", [("serve", "x86_64-linux", "serverd")])
    packed = tmp_path / "nixexprs.tar.xz"
    packed.write_bytes(tarball({**FILES, "programs.sqlite": listed.read_bytes()}))
    root = write_tree(tmp_path / "root")
    listed.rename(root / "programs.sqlite")
    for files in (unpacked(packed), in_directory(root)):
        tree = read_tree(files, PACKAGES, source="channel")
        assert tree.listed_programs == {"serverd": ("serve",)}


def test_nothing_outside_of_the_directory_is_read(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "root", {"pkgs/top-level/aliases.nix": "{ a = b; }"})
    outside = write_tree(tmp_path / "outside", {"x.nix": "{ }", "programs.sqlite": ""})
    (root / "pkgs/link.nix").symlink_to(outside / "x.nix")
    (root / "pkgs/folder").symlink_to(outside)
    (root / "programs.sqlite").symlink_to(outside / "programs.sqlite")
    (root / "doc").symlink_to(outside)
    os.mkfifo(root / "pkgs/pipe.nix")
    assert [file.path for file in in_directory(root)] == ["pkgs/top-level/aliases.nix"]


def test_members_that_lead_elsewhere_or_are_no_files_are_ignored(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for name in ("/etc/pkgs/x.nix", "top/../pkgs/x.nix", "../top/pkgs/x.nix", "top/pkgs/a.nix"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            member = tarfile.TarInfo("top/pkgs/b.nix")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    (tmp_path / "x").write_bytes(packed.getvalue())
    assert [file.path for file in unpacked(tmp_path / "x")] == ["pkgs/a.nix"]


def test_what_is_too_long_is_left_out_and_named(tmp_path: Path) -> None:
    files = {"pkgs/long.nix": "x" * (MAX_FILE_BYTES + 1), "pkgs/short.nix": "x"}
    packed = tmp_path / "nixexprs.tar.xz"
    packed.write_bytes(tarball(files))
    root = write_tree(tmp_path / "root", files)
    skipped: list[str] = []

    def skip(path: str, _reason: str) -> None:
        skipped.append(path)

    for found in (unpacked(packed, skip=skip), in_directory(root, skip)):
        assert [file.path for file in found] == ["pkgs/short.nix"]
    assert skipped == ["pkgs/long.nix"] * 2


def test_lists_that_programs_wrote_and_other_folders_are_not_read(tmp_path: Path) -> None:
    written = {
        "pkgs/development/haskell-modules/hackage-packages.nix": "{ }",
        "lib/default.nix": "{ }",
        "pkgs/x/builder.sh": "",
        "maintainers/maintainer-list.nix": "{ }",
        "pkgs/x/default.nix": "{ }",
    }
    root = write_tree(tmp_path, written)
    assert [file.path for file in in_directory(root)] == ["pkgs/x/default.nix"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "compressed neither"),
        (b"plain", "compressed neither"),
        (tarball()[:-200], "cut off"),
        (tarball()[:200] + b"\0" * 400 + tarball()[600:], "damaged"),
        (lzma.compress(b"no tarball" * 1000), "is no tarball"),
        (lzma.compress(bytes(10_000)), "is no nixpkgs"),
        (tarball({"pkgs/x.bin": bytes(90_000_000)}), "200 times its size"),
        (lzma.compress(os.urandom(3_000_000)), "more than 2,000,000 bytes|larger than 2,000,000"),
    ],
)
def test_what_is_no_tarball_or_a_bomb_is_refused_in_words(
    content: bytes, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "nixexprs.tar.xz"
    path.write_bytes(content)
    most = 2_000_000 if "2,000,000" in says else MAX_BYTES
    with pytest.raises(DataError, match=says) as refusal:
        list(unpacked(path, max_bytes=most))
    assert str(path) in str(refusal.value)


def test_a_directory_that_is_no_nixpkgs_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no nixpkgs"):
        list(in_directory(tmp_path))
    with pytest.raises(DataError, match="cannot be read: No such file"):
        list(unpacked(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("files", "systems"),
    [
        ({"release.nix": '{ supportedSystems ? [ "x86_64-linux" "aarch64-darwin" ] }: { }'}, 2),
        (
            {
                "release.nix": "{ supportedSystems ? builtins.fromJSON x }: { }",
                "release-supported-systems.json": '["x86_64-linux", "aarch64-darwin"]',
            },
            2,
        ),
        ({"release-supported-systems.json": '{"no": "list"}', "release.nix": "{ }: { }"}, 0),
        ({"release-supported-systems.json": '["x86_64-linux"'}, 0),
    ],
)
def test_the_systems_of_the_build_farm_are_known(
    files: dict[str, str], systems: int, tmp_path: Path
) -> None:
    root = write_tree(tmp_path, {f"pkgs/top-level/{name}": text for name, text in files.items()})
    tree = read_tree(in_directory(root), {}, source="path")
    assert tree.systems == ("x86_64-linux", "aarch64-darwin")[:systems]
