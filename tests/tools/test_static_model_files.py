"""The files of a local model hold what was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from static_model.files import write_model

if TYPE_CHECKING:
    from pathlib import Path


def test_a_weighted_vector_is_the_trained_one_to_a_byte_a_dimension(tmp_path: Path) -> None:
    trained = np.array([[0.5, -0.25], [0, 0], [-3, 1]], dtype=np.float32)
    write_model(tmp_path / "model", ["!", "##a", "file manager"], trained)
    weights = np.load(tmp_path / "model" / "weights.npy")
    vectors = np.load(tmp_path / "model" / "vectors.npy")
    assert (weights.dtype, vectors.dtype) == (np.float32, np.int8)
    assert weights[:, None] * vectors == pytest.approx(trained, abs=3 / 254)
    assert (tmp_path / "model" / "tokens.txt").read_text() == "!\n##a\nfile manager\n"
