"""The default embedder: a static model of 256 dimensions that lies in this package.

A text's vector is the weighted sum of its tokens' vectors, scaled to unit length. The tokens'
vectors were distilled from a sentence transformer over descriptions of software; docs/model.md
tells how. Nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from fdnix.embedding.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

DIMENSIONS = 256


@dataclass(frozen=True)
class _Model:
    tokenizer: Tokenizer
    weights: NDArray[np.float32]
    vectors: NDArray[np.int8]


class LocalEmbedder:
    """An `Embedder` that needs no account and no network."""

    provider = "local"
    model = "fdnix-static-256-2"
    dimensions = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (n, 256); a text without a known token gets zeros."""
        model = _load()
        sums = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in zip(sums, texts, strict=True):
            if found := model.tokenizer.encode(text):
                np.dot(model.weights[found], model.vectors[found].astype(np.float32), out=row)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        lengths[lengths == 0] = 1
        vectors: NDArray[np.float32] = sums / lengths
        return vectors


def model_table() -> pa.Table:
    """The model as a table: `token`, its `weight`, and its `vector` of 256 signed bytes."""
    import pyarrow as pa  # noqa: PLC0415 (a slow import that a search does without)

    from fdnix.database.rows import fixed_size  # noqa: PLC0415

    model = _load()
    return pa.table(
        {
            "token": pa.array(model.tokenizer.numbers, pa.string()),
            "weight": pa.array(model.weights),
            "vector": fixed_size(model.vectors),
        }
    )


@cache
def _load() -> _Model:
    with resources.as_file(resources.files("fdnix.embedding") / "static_model") as folder:
        return _Model(
            Tokenizer((folder / "tokens.txt").read_text(encoding="ascii").splitlines()),
            np.load(folder / "weights.npy"),
            np.load(folder / "vectors.npy"),
        )
