"""What is told while work goes on: the log, and how far a long step is.

Plain lines by default, so that a container's log stays readable; the command line draws bars.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

_LINE_EVERY_SECONDS = 10.0
_REASONS_SHOWN = 5
_REASON_LENGTH = 300

log = logging.getLogger("fdnix")


class Show(Protocol):
    """Shows one step's progress while its context lasts; gives a function to tell it more."""

    def __call__(
        self, label: str, total: int | None = None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """The context of the step `label`, of `total` parts (None: not known)."""
        ...


@contextmanager
def lines(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show progress as a line of the log, at most every ten seconds."""
    done = 0
    last = time.monotonic()

    def advance(amount: int) -> None:
        nonlocal done, last
        done += amount
        if (now := time.monotonic()) - last >= _LINE_EVERY_SECONDS:
            last = now
            log.info("%s: %s", label, f"{done:,} of {total:,}" if total else f"{done:,}")

    yield advance


_show: Show = lines


def show_with(show: Show) -> None:
    """Have every later `progress` shown by `show`."""
    global _show  # noqa: PLW0603 (one process has one terminal)
    _show = show


def progress(label: str, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
    """A function to call with how much more is done, of `total` (None: not known)."""
    return _show(label, total)


@contextmanager
def growing(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function to call with how much there is, and how much there will be.

    Nothing is shown before its first call, whose second argument counts; None: not known.
    """
    advance: Callable[[int], None] | None = None
    before = 0
    with ExitStack() as showing:

        def report(done: int, total: int | None) -> None:
            nonlocal advance, before
            if advance is None:
                advance = showing.enter_context(progress(label, total))
            advance(done - before)
            before = done

        yield report


def commonest(reasons: Iterable[str]) -> str:
    """The commonest of `reasons` with their counts, in one line however many there are."""
    counts = Counter(reason[:_REASON_LENGTH] for reason in reasons)
    shown = [f"{count:,} times: {reason}" for reason, count in counts.most_common(_REASONS_SHOWN)]
    if len(counts) > _REASONS_SHOWN:
        shown.append(f"{len(counts) - _REASONS_SHOWN:,} other reasons")
    return "; ".join(shown)
