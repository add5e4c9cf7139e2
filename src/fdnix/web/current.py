"""The index that is served: one open file, and a newer one that is renamed over it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import fdnix
from fdnix.errors import FdnixError
from fdnix.progress import log
from fdnix.search.index import Filters, SearchIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fdnix.search.index import Facet, SearchResults

_LOOK_EVERY = 0.5  # seconds
# What people type begins alike: half the searches of a busy hour were asked before. A result of
# twenty hits takes about 40 kB.
_RESULTS_KEPT = 512
NO_FILTERS = Filters()


class OpenIndex:
    """One open file, what it says of itself, and what was found in it before.

    Attributes:
        index: to be asked.
        info: the keys and values of its `fdnix_meta`.
        tag: names the file's content and the code that answers from it, for an ETag.
    """

    def __init__(self, path: Path, workers: int) -> None:
        """Open the file at `path`, for so many searches at once.

        Raises:
            DataError: it is not a minified database of this schema version.
        """
        # A search alone is quickest on all processors; of many, each is best left to one.
        self.index = SearchIndex.open(path, threads=1 if workers > 1 else None)
        # The first search of a connection plans its statements, for as long as five others take.
        with ThreadPoolExecutor(workers) as threads:
            list(threads.map(self.index.search, ["nixpkgs"] * workers))
        self.info = self.index.info
        made = "".join(self.info.get(key, "") for key in ("build_id", "fingerprint", "minified_at"))
        self.tag = blake2b(f"{made}{fdnix.__version__}".encode(), digest_size=8).hexdigest()
        self.search = lru_cache(_RESULTS_KEPT)(self._search)
        self.search_and_count = lru_cache(_RESULTS_KEPT)(self._search_and_count)
        self.leases = 0
        self.replaced = False

    def _search(
        self, text: str, limit: int, offset: int, filters: Filters = NO_FILTERS
    ) -> SearchResults:
        return self.index.search(text, limit=limit, offset=offset, filters=filters)

    def _search_and_count(
        self, text: str, limit: int, offset: int, filters: Filters = NO_FILTERS
    ) -> tuple[SearchResults, list[Facet]]:
        return self.index.search_and_count(text, limit=limit, offset=offset, filters=filters)


class CurrentIndex:
    """The index at a path: the file that lies there now, and the one before while it is in use."""

    def __init__(self, path: Path, workers: int) -> None:
        """Open the file at `path`, for so many searches at once.

        Raises:
            DataError: it is not a minified database of this schema version.
        """
        self._path = path
        self._workers = workers
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._identity = _identity(path)
        self._open = OpenIndex(path, workers)
        self.swaps = 0

    @contextmanager
    def lease(self) -> Iterator[OpenIndex]:
        """The index of now; it stays open until the block ends, whatever replaces it."""
        self._look()
        with self._lock:
            leased = self._open
            leased.leases += 1
        try:
            yield leased
        finally:
            with self._lock:
                leased.leases -= 1
                last = leased.replaced and not leased.leases
            if last:
                leased.index.close()

    def close(self) -> None:
        """Close the file; nobody may hold a lease any more."""
        self._open.index.close()

    def _look(self) -> None:
        """See whether another file lies at the path now; if so, have it opened meanwhile."""
        now = time.monotonic()
        with self._lock:
            if now - self._looked < _LOOK_EVERY:
                return
            self._looked = now
            identity = _identity(self._path)
            if identity is None or identity == self._identity:
                return
            self._identity = identity
        threading.Thread(target=self._replace, daemon=True).start()

    def _replace(self) -> None:
        try:
            opened = OpenIndex(self._path, self._workers)
        except FdnixError as error:
            log.warning("the file before is served on: %s", error)
            return
        with self._lock:
            before, self._open = self._open, opened
            before.replaced = True
            self.swaps += 1
            unused = not before.leases
        if unused:
            before.index.close()
        log.info("%s: a new file is served", self._path)


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What tells one file at a path from the next; None where there is none just now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
