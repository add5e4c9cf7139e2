"""The campaigns of hostile input in short; by hand they run for as long as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns import catalogues, damaged_files, queries
from fdnix import pipeline
from support.catalogues import settings_in

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.settings import Settings


def test_no_query_raises_and_sql_finds_what_the_engine_finds(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    pipeline.run(settings)
    outcome = queries.campaign(settings.output_minified_path, count=300, seed=7, compare=10)
    assert (outcome.queries, outcome.failures, outcome.differences) == (300, 0, 0)


def test_no_catalogue_raises_and_none_loses_a_good_row(tmp_path: Path) -> None:
    outcome = catalogues.campaign(400, 7, tmp_path)
    assert (outcome.catalogues, outcome.failures, outcome.lost) == (400, 0, 0)
    assert 0 < outcome.refused < 200


def test_no_damaged_file_raises(tmp_path: Path, indexed: Settings) -> None:
    files = [indexed.output_path, indexed.output_minified_path]
    outcome = damaged_files.campaign(files, count=20, seed=7, directory=tmp_path)
    assert (outcome.files, outcome.failures) == (20, 0)
    assert outcome.codes[4] > 5
