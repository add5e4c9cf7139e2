"""Without a terminal, progress is lines of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdnix import progress

if TYPE_CHECKING:
    import pytest


def test_in_a_pipe_progress_is_a_line_now_and_then(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "fdnix")
    with progress.progress("packages", 1000) as advance:
        for _ in range(10):
            advance(100)
    assert caplog.messages == []
    monkeypatch.setattr(progress, "_LINE_EVERY_SECONDS", 0.0)
    with progress.progress("packages", 2000) as advance:
        advance(1500)
    with progress.progress("bytes") as advance:
        advance(7)
    assert caplog.messages == ["packages: 1,500 of 2,000", "bytes: 7"]


def test_what_grows_is_shown_from_the_first_call_with_its_total(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "fdnix")
    monkeypatch.setattr(progress, "_LINE_EVERY_SECONDS", 0.0)
    with progress.growing("bytes") as report:
        for done in (1000, 1500):
            report(done, 2000)
    assert caplog.messages == ["bytes: 1,000 of 2,000", "bytes: 1,500 of 2,000"]


def test_reasons_are_counted_and_only_the_commonest_are_shown() -> None:
    reasons = ["denied"] * 3 + ["x" * 1000] + [f"reason {n}" for n in range(1_000)]
    told = progress.commonest(reasons)
    assert told.startswith("3 times: denied; 1 times: ")
    assert told.endswith("997 other reasons")
    assert len(told) < 1_000
