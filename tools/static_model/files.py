"""The local model's files, as `fdnix.embedding.local` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


def write_model(folder: Path, tokens: Iterable[str], vectors: NDArray[np.float32]) -> None:
    """Write `tokens` and their `vectors`: a byte a dimension, and a weight that scales them back.

    Args:
        folder: where `tokens.txt`, `weights.npy` and `vectors.npy` go.
        tokens: ASCII, one a row of `vectors`.
        vectors: shape (n, dimensions).
    """
    weights = np.abs(vectors).max(axis=1) / 127
    weights[weights == 0] = 1
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{token}\n" for token in tokens)
    (folder / "tokens.txt").write_text(text, encoding="ascii")
    np.save(folder / "weights.npy", weights.astype(np.float32))
    np.save(folder / "vectors.npy", np.rint(vectors / weights[:, None]).astype(np.int8))
