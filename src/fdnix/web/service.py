"""How requests reach the index: threads that ask it, and limits on what they may ask."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from fdnix.web.current import CurrentIndex
from fdnix.web.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fdnix.web.current import OpenIndex

_T = TypeVar("_T")


@dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Attributes:
        query: characters of a query.
        value: characters of a filter's value or an attribute path.
        hits: hits in one answer.
        offset: hits passed over.
        seconds: the time it may take, waiting for others included.
        under_way: requests that run or wait; one more is refused.
    """

    query: int = 500
    value: int = 200
    hits: int = 100
    offset: int = 10_000
    seconds: float = 5.0
    under_way: int = 64


LIMITS = Limits()


@dataclass(frozen=True)
class Answer(Generic[_T]):
    """What was answered, and the tag of the file that it is from; None where the asker has it."""

    tag: str
    value: _T | None


class Service:
    """The index that is served, and the threads that ask it."""

    def __init__(self, path: Path, *, workers: int, limits: Limits = LIMITS) -> None:
        """Open the file at `path`.

        Args:
            path: a file that the minified phase wrote.
            workers: how many searches run at once.
            limits: what a request may ask for.

        Raises:
            DataError: it is not a minified database of this schema version.
        """
        self.limits = limits
        self.current = CurrentIndex(path, workers)
        self.under_way = 0
        self._threads = ThreadPoolExecutor(workers, "fdnix-search")

    async def ask(self, work: Callable[[OpenIndex], _T], *, known: str = "") -> Answer[_T]:
        """What `work` makes of the index, in a thread of ours.

        Args:
            work: asks the index.
            known: an If-None-Match; an answer that it names is not made again.

        Raises:
            Problem: too many requests are under way, or this one takes too long (503).
        """
        if self.under_way >= self.limits.under_way:
            raise Problem(503, "too many requests are under way", retry_after=1)
        until = time.monotonic() + self.limits.seconds
        self.under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._answer, work, known, until
            )
        except TimeoutError as error:
            raise Problem(
                503,
                f"this took more than {self.limits.seconds:g} seconds; ask for less, or later",
                retry_after=5,
            ) from error
        finally:
            self.under_way -= 1

    def close(self) -> None:
        """End the threads, once what they do is done, and close the file."""
        self._threads.shutdown()
        self.current.close()

    def _answer(self, work: Callable[[OpenIndex], _T], known: str, until: float) -> Answer[_T]:
        with self.current.lease() as opened:
            if opened.tag in known:
                return Answer(opened.tag, None)
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            with opened.index.at_most(left):
                return Answer(opened.tag, work(opened))
