"""What a full database holds of a nixpkgs tree, taken out of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fdnix.database.connection import connect, read_sql
from fdnix.database.file_info import read_file_info
from fdnix.nixpkgs.tree import USAGE_COUNTS, Alias, Tree, TreeSource, Usage

if TYPE_CHECKING:
    from pathlib import Path


def standing_tree(path: Path, *, extension_directory: Path | None = None) -> Tree | None:
    """What the full database at `path` was told by a tree; None where it was made without one.

    Raises:
        DataError: it is damaged, or no full database of this schema version.
    """
    with connect(path, read_only=True, extension_directory=extension_directory) as connection:
        meta = read_file_info(connection, path, kind="full")
        if "tree_source" not in meta:
            return None
        usage = connection.table("usage").select("package_id", *USAGE_COUNTS).fetchall()
        columns = ("name", "target", "message", "successors")
        aliases = connection.table("aliases").select(*columns).fetchall()
        said = connection.execute(read_sql("database", "standing_tree")).fetchall()
    return Tree(
        source=cast("TreeSource", meta["tree_source"]),
        revision=meta.get("tree_revision"),
        systems=tuple(meta.get("tree_systems", "").split()),
        usage={name: Usage(*counts) for name, *counts in usage},
        usage_texts={name: tuple(texts) for name, texts, _, _ in said if texts},
        programs={name: tuple(programs) for name, _, programs, _ in said if programs},
        listed_programs={name: tuple(programs) for name, _, _, programs in said if programs},
        aliases=tuple(
            Alias(name, target, message, tuple(successors))
            for name, target, message, successors in aliases
        ),
    )
