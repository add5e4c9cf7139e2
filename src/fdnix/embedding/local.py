"""The default embedder: WordLlama's static 256-dimension model, bundled in its wheel.

A text's vector is the mean of its tokens' vectors, scaled to unit length
(https://github.com/dleemiller/WordLlama). Nothing is fetched: the wheel's own folder is given as
the model's cache, with downloads off.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdnix.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from wordllama import WordLlamaInference

DIMENSIONS = 256
_BATCH = 64


class LocalEmbedder:
    """An `Embedder` that needs no account and no network."""

    provider = "local"
    model = "wordllama-l2-supercat-256"
    dimensions = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of unit length, shape (n, 256); a text without a known token gets zeros."""
        model = _load()
        # A batch is padded to its longest text, so texts of like length go together.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        vectors[order] = model.embed([texts[i] for i in order], batch_size=_BATCH)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        lengths[lengths == 0] = 1
        vectors /= lengths
        return vectors


@cache
def _load() -> WordLlamaInference:
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise DataError("the local embedding model is missing: install the package wordllama")
    # Importing wordllama configures the root logger; the program that embeds us decides that.
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        from wordllama import WordLlama  # noqa: PLC0415 (a slow import that few commands need)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    return WordLlama.load(cache_dir=Path(spec.origin).parent, disable_download=True, dim=DIMENSIONS)
