"""The vector of a query, from the model that embedded the packages."""

from __future__ import annotations
from pathlib import Path
import numpy as np


def embedder(meta):
    import wordllama

    dim = int(meta.get("embedding_dimensions") or meta.get("dimensions"))
    model = wordllama.WordLlama.load(
        cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=dim
    )
    return lambda text: model.embed([text], norm=True)[0].astype(np.float32)
