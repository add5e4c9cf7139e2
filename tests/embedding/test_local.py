"""The bundled model: unit vectors in the order of the texts, near where meanings are near."""

from __future__ import annotations

import logging
import socket
import string

import duckdb
import numpy as np
import pytest

from fdnix.embedding.local import DIMENSIONS, LocalEmbedder, model_table
from fdnix.embedding.tokenizer import LONGEST_PIECE

TEXTS = ["A terminal file manager", "x", "A much longer text about databases " * 20, "editor"]


def test_vectors_are_of_unit_length_and_of_the_shape_and_type_that_is_promised() -> None:
    vectors = LocalEmbedder().embed(TEXTS)
    assert vectors.shape == (len(TEXTS), DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    together = LocalEmbedder().embed(TEXTS * 40)
    for i, text in enumerate(TEXTS):
        alone = LocalEmbedder().embed([text])[0]
        assert together[i] == pytest.approx(alone, abs=1e-5)
        assert together[i + len(TEXTS)] == pytest.approx(alone, abs=1e-5)


def test_texts_of_like_meaning_are_nearer_than_others() -> None:
    manager, explorer, physics = LocalEmbedder().embed(
        ["file manager for the terminal", "console file browser", "quantum chemistry simulation"]
    )
    assert manager @ explorer > manager @ physics + 0.1


def test_a_text_without_a_token_is_a_zero_vector_and_no_error() -> None:
    assert not LocalEmbedder().embed([""]).any()
    assert LocalEmbedder().embed([]).shape == (0, DIMENSIONS)


def test_the_table_says_what_a_vector_is_made_of() -> None:
    table = model_table()
    with duckdb.connect() as connection:
        connection.register("search_model", table)
        types = connection.execute("DESCRIBE search_model").fetchall()
        rows = connection.execute(
            "SELECT weight, vector FROM search_model WHERE token IN ('encrypt', 'file manager')"
        ).fetchall()
    assert [(name, kind) for name, kind, *_ in types] == [
        ("token", "VARCHAR"),
        ("weight", "FLOAT"),
        ("vector", f"TINYINT[{DIMENSIONS}]"),
    ]
    assert len(rows) == 2
    total = sum(weight * np.array(vector) for weight, vector in rows)
    (vector,) = LocalEmbedder().embed(["Encrypt file manager"])
    assert vector == pytest.approx(total / np.linalg.norm(total), abs=1e-6)


def test_a_token_that_stands_twice_counts_twice() -> None:
    once, twice, alone = LocalEmbedder().embed(["rust gpu", "rust rust gpu", "rust"])
    assert twice @ alone > once @ alone + 0.05


def test_the_model_knows_each_unit_and_no_piece_longer_than_is_said() -> None:
    tokens = list(map(str, model_table()["token"].to_pylist()))
    words = string.ascii_lowercase + string.digits
    assert {*words, *(f"##{c}" for c in words), *string.punctuation} <= {*tokens}
    assert tokens == sorted(tokens)
    pieces = [token.removeprefix("##") for token in tokens if " " not in token]
    assert max(map(len, pieces)) == LONGEST_PIECE


def test_nothing_is_fetched_and_the_root_logger_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = (logging.getLogger().level, logging.getLogger().handlers[:])
    LocalEmbedder().embed(["text"])
    assert (logging.getLogger().level, logging.getLogger().handlers) == before
