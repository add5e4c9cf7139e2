"""The catalogue and tree bundled with fdnix: known packages, to try it without a network."""

from __future__ import annotations

import importlib.resources
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fdnix.nixpkgs.sources.source import Fetched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fdnix.nixpkgs.sources.source import Work


_TREE = Path(__file__).parents[1] / "sample_tree"


@dataclass(frozen=True)
class Sample:
    """The bundled catalogue and tree."""

    @contextmanager
    def fetch(self, _work: Work) -> Iterator[Fetched]:
        """Yield the bundled catalogue."""
        sample = importlib.resources.files("fdnix.nixpkgs") / "sample.json"
        with importlib.resources.as_file(sample) as path:
            yield Fetched(path=path, source="sample", tree=_TREE)
