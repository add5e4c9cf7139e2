"""Small catalogues, and runs of the pipeline over them."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fdnix.nixpkgs import attribute
from fdnix.nixpkgs.catalog import read_catalog
from fdnix.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS = ("editor", "browser", "compiler", "library", "terminal", "database", "archive", "music")


def entry(pname: str, version: str = "1.0", **meta: Any) -> dict[str, Any]:
    """What nix-env prints for a package, with `meta` put over a description of it."""
    description = f"A {WORDS[len(pname) % len(WORDS)]} called {pname}"
    return {
        "name": f"{pname}-{version}",
        "pname": pname,
        "version": version,
        "system": "x86_64-linux",
        "outputs": {"out": None},
        "meta": {"description": description, "available": True, **meta},
    }


def entries(number: int) -> dict[str, dict[str, Any]]:
    """As many packages by attribute path, each with a text of its own."""
    return {
        f"{WORDS[i % len(WORDS)]}{i}": entry(
            f"{WORDS[i % len(WORDS)]}{i}",
            description=f"{WORDS[i % len(WORDS)]} {WORDS[i * 7 % len(WORDS)]} "
            f"{WORDS[i // len(WORDS) % len(WORDS)]} number {i}",
        )
        for i in range(number)
    }


def write_catalogue(path: Path, packages: Mapping[str, object]) -> Path:
    """Write the packages to `path` in the channel's form."""
    path.write_text(json.dumps({"version": "2", "packages": packages}), encoding="utf-8")
    return path


def settings_in(directory: Path, source: Path | str = "sample", **overrides: object) -> Settings:
    """The settings of a run that keeps all its files in `directory`."""
    return load_settings(
        {},
        nixpkgs_source=str(source),
        output_path=directory / "fdnix-data.duckdb",
        output_minified_path=directory / "fdnix.duckdb",
        **overrides,
    )


class _Versioned(msgspec.Struct):
    version: str = ""


@cache
def real_names() -> frozenset[str]:
    """The names in the real catalogue: attribute paths, as they are and without versions."""
    folder = Path(os.environ["FDNIX_TEST_DATA"]) / "nixpkgs-26.11"
    names = set()
    for path, raw in read_catalog(folder / "packages-info.json.br").entries.items():
        version = msgspec.json.decode(raw, type=_Versioned).version
        names |= {path, attribute.unversioned(path, version)}
    return frozenset(names)
