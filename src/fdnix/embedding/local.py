"""The default embedder: a static model of 256 dimensions that lies in this package.

A text's vector is the weighted mean of its tokens' vectors, scaled to unit length
(https://github.com/MinishLab/model2vec). The tokens' vectors were distilled from a sentence
transformer over descriptions of software; docs/model.md tells how. Nothing is fetched.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model2vec import StaticModel
    from numpy.typing import NDArray

DIMENSIONS = 256


class LocalEmbedder:
    """An `Embedder` that needs no account and no network."""

    provider = "local"
    model = "fdnix-static-256"
    dimensions = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (n, 256); a text without a known token gets zeros."""
        if not texts:
            return np.empty((0, DIMENSIONS), dtype=np.float32)
        vectors: NDArray[np.float32] = _load().encode(texts, use_multiprocessing=False)
        return vectors


def embed_words(words: Sequence[str]) -> NDArray[np.float32]:
    """The local model's unit vectors for single words, shape (n, 256).

    A word that the model knows only in pieces gets zeros: its vector tells more of how it is
    spelt than of what it means.
    """
    vectors = LocalEmbedder().embed(words)
    known = _load().tokenizer.get_vocab()
    vectors[[word not in known for word in words]] = 0
    return vectors


@cache
def _load() -> StaticModel:
    from model2vec import StaticModel  # noqa: PLC0415 (a slow import that few commands need)

    with resources.as_file(resources.files("fdnix.embedding") / "static_model") as folder:
        return StaticModel.from_pretrained(folder)
