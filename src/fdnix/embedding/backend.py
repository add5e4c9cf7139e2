"""What turns texts into vectors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fdnix.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

_TEXTS_PER_BATCH = 4096


class Embedder(Protocol):
    """A model that embeds texts, at once and in this process's time."""

    @property
    def provider(self) -> str:
        """`local` or `bedrock`."""
        ...

    @property
    def model(self) -> str:
        """The model's name. Vectors of different models are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length for `texts`, shape (n, dimensions), in their order."""
        ...


@dataclass(frozen=True)
class Text:
    """A distinct embedding text and its content hash."""

    content_hash: str
    text: str


@dataclass(frozen=True)
class Vectors:
    """Vectors of unit length, shape (n, dimensions), and the n content hashes they belong to."""

    content_hashes: list[str]
    vectors: NDArray[np.float32]


@dataclass(frozen=True)
class Failure:
    """A text that could not be embedded this time."""

    content_hash: str
    reason: str


@dataclass(frozen=True)
class Provider:
    """Where vectors come from: one model, and how to put many texts to it.

    Attributes:
        name: `local` or `bedrock`.
        model: the model's name; vectors of different models are never mixed.
        dimensions: the length of every vector.
        vectors: given the texts and how many they are, gives a vector or a failure for each, in
            chunks and in any order.
        confirm: called once, when all that `vectors` gave is safely on disk.
    """

    name: str
    model: str
    dimensions: int
    vectors: Callable[[Iterator[Text], int], Iterable[Vectors | Failure]]
    confirm: Callable[[], None] = lambda: None


def each_once(provider: Provider, texts: Iterator[Text], total: int) -> Iterator[Vectors | Failure]:
    """One vector or one failure for each of the `total` texts, whatever the provider gives.

    Of two vectors the first is taken, a vector counts more than a failure, and what nothing came
    for is a failure.
    """
    asked: dict[str, str] = {}
    """Content hash to why there is no vector for it."""

    def noted() -> Iterator[Text]:
        for text in texts:
            asked[text.content_hash] = "its provider gave neither a vector nor a reason"
            yield text

    remaining = noted()
    for result in provider.vectors(remaining, total):
        if isinstance(result, Failure):
            if result.content_hash in asked:
                asked[result.content_hash] = result.reason
            continue
        rows = [
            row
            for row, content_hash in enumerate(result.content_hashes)
            if asked.pop(content_hash, None) is not None
        ]
        if len(rows) == len(result.content_hashes):
            yield result
        elif rows:
            yield Vectors([result.content_hashes[row] for row in rows], result.vectors[rows])
    for _ in remaining:  # what the provider never asked for
        pass
    yield from (Failure(content_hash, reason) for content_hash, reason in asked.items())


def at_once(embedder: Embedder) -> Provider:
    """A provider that embeds in this process, batch by batch."""
    return Provider(
        embedder.provider,
        embedder.model,
        embedder.dimensions,
        lambda texts, total: _embed_batches(embedder, texts, total),
    )


def _embed_batches(
    embedder: Embedder, texts: Iterator[Text], total: int
) -> Iterator[Vectors | Failure]:
    with progress("texts embedded", total) as advance:
        while batch := list(islice(texts, _TEXTS_PER_BATCH)):
            vectors = embedder.embed([text.text for text in batch])
            good = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
            hashes = np.array([text.content_hash for text in batch])
            yield Vectors(hashes[good].tolist(), vectors[good])
            for content_hash in hashes[~good].tolist():
                yield Failure(content_hash, "the model knows no token of the text")
            advance(len(batch))
