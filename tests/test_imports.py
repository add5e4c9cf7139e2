"""Imports go one way, as the contracts in pyproject.toml say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from importlinter import cli

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[1]


def test_the_contracts_are_kept(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    broken = cli.lint_imports(no_cache=True, no_logo=True)
    assert not broken, capfd.readouterr().out
