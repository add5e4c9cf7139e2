"""What reads a file in another process ends as it would here, but for crashes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fdnix.database.child import in_child
from fdnix.errors import DataError, SettingsError

PATH = Path("f.duckdb")


def test_what_is_returned_and_raised_there_is_returned_and_raised_here(tmp_path: Path) -> None:
    assert in_child(PATH, os.listdir, tmp_path) == []
    with pytest.raises(FileNotFoundError, match="absent"):
        in_child(PATH, os.listdir, tmp_path / "absent")


def test_a_crash_is_told_as_damage() -> None:
    with pytest.raises(DataError, match=r"f\.duckdb: DuckDB crashed over it"):
        in_child(PATH, os.abort)


def test_an_end_by_the_system_is_told_as_a_lack_of_memory() -> None:
    with pytest.raises(SettingsError, match=r"f\.duckdb: there is not memory enough"):
        in_child(PATH, signal.raise_signal, signal.SIGKILL)
