"""The Nix files evaluate, and say the same as pyproject.toml and constraints.txt."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.nix import (
    PROJECT,
    ROOT,
    STUB,
    EvaluationError,
    declared,
    evaluate,
    needs_nix,
)

pytestmark = [pytest.mark.nix, needs_nix]

FILES = sorted(
    [ROOT / "flake.nix", *(ROOT / "nix").glob("*.nix"), *(ROOT / "deploy").glob("*.nix")]
)
SOURCES: dict[str, Any] = json.loads((ROOT / "nix" / "sources.json").read_text())
PACKAGE = "(pkgs.callPackage (root + /nix/package.nix) { })"
SYSTEMS = sorted(SOURCES["duckdb"]["wheels"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_parses(file: Path) -> None:
    parsed = subprocess.run(
        ["nix-instantiate", "--parse", file], check=False, capture_output=True, text=True
    )
    assert parsed.returncode == 0, parsed.stderr


def test_the_package_depends_on_what_the_project_declares() -> None:
    names = evaluate(f"map (package: package.name) {PACKAGE}.arguments.dependencies")
    assert {
        re.sub(r"-[\d.]+$", "", name.removeprefix("python3.13-")).replace("-", "_")
        for name in names
    } == {requirement.name.replace("-", "_") for requirement in declared()}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_package_evaluates_on_every_system(system: str) -> None:
    assert evaluate(f"{PACKAGE}.drvPath", system).endswith(f"-fdnix-{PROJECT['version']}.drv")
    assert evaluate(f"{PACKAGE}.meta.platforms") == SYSTEMS


def test_a_system_without_wheels_is_named() -> None:
    with pytest.raises(EvaluationError, match="duckdb has no wheel for riscv64-linux, only for"):
        evaluate(f"{PACKAGE}.drvPath", "riscv64-linux")


def test_the_source_holds_no_more_than_the_package_needs(tmp_path: Path) -> None:
    command = ["nix-instantiate", "--eval", "--expr", "--read-write-mode"]
    expression = (
        f"let pkgs = import {STUB} {{ }}; package = pkgs.callPackage {ROOT}/nix/package.nix {{ }}; "
        'in "${package.arguments.src}"'
    )
    store = tmp_path / "store"
    said = subprocess.run(
        [*command, expression],
        env=os.environ | {"NIX_REMOTE": f"local?root={store}"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    source = Path(f"{store}{json.loads(said)}")
    assert {path.name for path in source.iterdir()} == {
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "src",
        "tools",
    }
    assert [path.name for path in (source / "tools").iterdir()] == ["man_pages.py"]


def test_versions_are_those_that_the_tests_run_with() -> None:
    pins = dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert {name: source["version"] for name, source in SOURCES.items()} == {
        name: pins[name] for name in SOURCES
    }


def test_an_extension_of_another_duckdb_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "project"
    shutil.copytree(ROOT / "nix", other / "nix")
    pyproject = (ROOT / "pyproject.toml").read_text()
    (other / "pyproject.toml").write_text(pyproject.replace("-vss==1.5.5", "-vss==1.5.6"))
    evaluate(f"(pkgs.callPackage {other}/nix/python.nix {{ }}).pkgs.duckdb-extension-fts.drvPath")
    with pytest.raises(EvaluationError, match=r"run tools/nix-sources\.py"):
        evaluate(
            f"(pkgs.callPackage {other}/nix/python.nix {{ }}).pkgs.duckdb-extension-vss.drvPath"
        )


@pytest.mark.parametrize("system", SYSTEMS)
def test_wheels_are_asked_for_by_the_names_that_they_have_on_pypi(system: str) -> None:
    files = evaluate(
        "let python = (pkgs.callPackage (root + /nix/python.nix) { }).pkgs; in map "
        "(package: { inherit (package.arguments.src) file hash; }) "
        "(with python; [ duckdb duckdb-extension-fts duckdb-extension-vss ])",
        system,
    )
    machine = {"aarch64-darwin": "arm64", "aarch64-linux": "aarch64", "x86_64-linux": "x86_64"}
    for wheel in files:
        assert re.fullmatch(
            rf"duckdb(_extension_\w+)?-[\d.]+-(cp313-cp313|py3-none)-\S+_{machine[system]}\.whl",
            wheel["file"],
        )
    assert all(re.fullmatch(r"sha256-[A-Za-z0-9+/]{43}=", file["hash"]) for file in files)
    assert len({file["hash"] for file in files}) == len(files)


def test_extensions_are_left_as_they_are_signed() -> None:
    for name in ("fts", "vss"):
        arguments = evaluate(
            "let a = (pkgs.callPackage (root + /nix/python.nix) { }).pkgs."
            f"duckdb-extension-{name}.arguments; in {{ inherit (a) dontPatchELF dontStrip; "
            "patched = a ? nativeBuildInputs; }"
        )
        assert arguments == {"dontPatchELF": True, "dontStrip": True, "patched": False}


@pytest.mark.skipif(shutil.which("nix") is None, reason="the command nix is not installed")
def test_the_flake_checks_out_with_nixpkgs_as_its_only_input(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(
        ROOT,
        project,
        ignore=lambda _, names: [n for n in names if n.startswith(".") or n in {"tests", "out"}],
    )
    flake = [
        "nix",
        "--store",
        f"local?root={tmp_path / 'store'}",
        *("--extra-experimental-features", "nix-command flakes"),
        "flake",
    ]
    overriding = ["--no-write-lock-file", "--override-input", "nixpkgs", f"path:{STUB}"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    def said(*arguments: str) -> str:
        done = subprocess.run(
            [*flake, *arguments, *overriding, f"path:{project}"],
            env=environment,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    said("check", "--no-build")
    shown = json.loads(said("show", "--json"))
    for system in SYSTEMS:
        assert shown["packages"][system]["default"]["name"] == f"fdnix-{PROJECT['version']}"
        assert shown["apps"][system]["default"]["type"] == "app"
        assert "default" in shown["devShells"][system]
        checks = {"package", "demo"} | ({"module"} if system.endswith("linux") else set())
        assert set(shown["checks"][system]) == checks
    assert shown["nixosModules"]["default"] == {"type": "nixos-module"}
    locks = json.loads(said("metadata", "--json"))["locks"]["nodes"]
    assert set(locks) == {"nixpkgs", "root"}
