"""What a run is called with, and what its artifacts must be whatever ended it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdnix.database.connection import connect
from fdnix.database.full import verify_counts
from fdnix.database.hnsw import verify_hnsw_plan
from fdnix.search.fts import verify_fts

if TYPE_CHECKING:
    from fdnix.settings import Settings


def run_arguments(settings: Settings) -> list[str]:
    """What has the command fdnix run as `settings` say."""
    return [
        "run",
        f"--source={settings.nixpkgs_source}",
        f"--output={settings.output_path}",
        f"--minified={settings.output_minified_path}",
    ]


def verify(settings: Settings, *, packages: set[int]) -> None:
    """Both artifacts open, verify, and have so many packages as one of the catalogues."""
    for path in (settings.output_path, settings.output_minified_path):
        with connect(path, read_only=True) as connection:
            verify_counts(connection, path)
            if connection.execute("FROM duckdb_indexes() WHERE index_name ~ 'vss'").fetchone():
                verify_hnsw_plan(connection, path)
            if path == settings.output_minified_path:
                verify_fts(connection, path, macro=settings.fts_index_name)
            rows = connection.execute("SELECT count(*) FROM packages").fetchone()
            assert rows
            assert rows[0] in packages, rows
