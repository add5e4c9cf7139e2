"""Packages as Arrow tables, with the columns of the table `packages`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from fdnix.nixpkgs.tree import USAGE_COUNTS
from fdnix.nixpkgs.values import distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fdnix.nixpkgs.package import Package
    from fdnix.nixpkgs.tree import Tree

_TEXT = pa.string()
_TEXTS = pa.list_(pa.string())
_LICENSES = pa.list_(
    pa.struct(
        [
            ("short_name", _TEXT),
            ("full_name", _TEXT),
            ("spdx_id", _TEXT),
            ("url", _TEXT),
            ("free", pa.bool_()),
            ("redistributable", pa.bool_()),
            ("deprecated", pa.bool_()),
        ]
    )
)
_MAINTAINERS = pa.list_(
    pa.struct(
        [
            ("name", _TEXT),
            ("email", _TEXT),
            ("github", _TEXT),
            ("github_id", pa.int64()),
            ("matrix", _TEXT),
        ]
    )
)
_NESTED: dict[str, pa.DataType] = {
    "homepages": _TEXTS,
    "licenses": _LICENSES,
    "maintainers": _MAINTAINERS,
    "teams": _TEXTS,
    "platforms": _TEXTS,
    "bad_platforms": _TEXTS,
    "known_vulnerabilities": _TEXTS,
    "outputs": _TEXTS,
    "outputs_to_install": _TEXTS,
    "source_provenance": _TEXTS,
    "kinds": _TEXTS,
}
_ALIAS = {"name": _TEXT, "target": _TEXT, "message": _TEXT, "successors": _TEXTS}
_DERIVED = ("attribute_name", "set_family", "base_name", "kinds")
_FLAGS = frozenset({"available", "broken", "insecure", "unfree", "unsupported"})


def fixed_size(values: NDArray[Any]) -> pa.FixedSizeListArray[Any]:
    """An Arrow array whose items are the rows of `values`, of shape (n, length)."""
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(values).ravel()), values.shape[1]
    )


def package_table(
    packages: Sequence[Package], content_hashes: Sequence[str], tree: Tree | None = None
) -> pa.Table:
    """An Arrow table of `packages`, one row each: what `tree` says of them joins in."""
    names = (*packages[0].__struct_fields__, *_DERIVED)
    columns = {
        name: _column(name, [getattr(package, name) for package in packages]) for name in names
    }
    programs = [_programs(package, tree) for package in packages]
    texts = [tree and tree.usage_texts.get(package.package_id) for package in packages]
    return pa.table(
        {
            **columns,
            "programs": pa.array([names for names, _ in programs], _TEXTS),
            "programs_source": pa.array([source for _, source in programs], _TEXT),
            "usage_texts": pa.array(texts, _TEXTS),
            "content_hash": pa.array(content_hashes, _TEXT),
        }
    )


def usage_table(tree: Tree) -> pa.Table:
    """An Arrow table of how often attributes are used, one row each, by `package_id`."""
    counts = {
        name: pa.array([getattr(usage, name) for usage in tree.usage.values()], pa.int32())
        for name in USAGE_COUNTS
    }
    return pa.table({"package_id": pa.array(tree.usage, _TEXT), **counts})


def alias_table(tree: Tree) -> pa.Table:
    """An Arrow table of aliases, one row each."""
    return pa.table(
        {
            name: pa.array([getattr(alias, name) for alias in tree.aliases], kind)
            for name, kind in _ALIAS.items()
        }
    )


def _programs(package: Package, tree: Tree | None) -> tuple[tuple[str, ...] | None, str | None]:
    """The programs of a package, the main one first, and where they were learnt."""
    main = () if package.main_program is None else (package.main_program,)
    if tree is not None:
        for source, programs in (("channel", tree.listed_programs), ("tree", tree.programs)):
            if found := programs.get(package.package_id):
                return distinct((*main, *found)), source
    return (main, "meta") if main else (None, None)


def _column(name: str, values: list[Any]) -> pa.Array[Any]:
    if name in _NESTED:
        return _repeated(values, _NESTED[name])
    return pa.array(values, pa.bool_() if name in _FLAGS else _TEXT)


def _repeated(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
    """An array of nested values that are mostly the same few objects, each converted once."""
    identities = list(map(id, values))
    distinct = dict(zip(identities, values, strict=True))
    places = {identity: place for place, identity in enumerate(distinct)}
    indices = pa.array(map(places.__getitem__, identities), pa.int32())
    return pa.array(msgspec.to_builtins(list(distinct.values())), kind).take(indices)
