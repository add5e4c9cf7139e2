"""The bundled model: unit vectors in the order of the texts, near where meanings are near."""

from __future__ import annotations

import logging
import socket

import numpy as np
import pytest

from fdnix.embedding.local import DIMENSIONS, LocalEmbedder, embed_words

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


def test_only_words_that_the_model_knows_whole_have_a_meaning_of_their_own() -> None:
    encrypt, cipher, nonsense = embed_words(["encrypt", "cipher", "wimglennqx"])
    assert encrypt @ cipher > 0.4
    assert not nonsense.any()


def test_nothing_is_fetched_and_the_root_logger_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = (logging.getLogger().level, logging.getLogger().handlers[:])
    LocalEmbedder().embed(["text"])
    assert (logging.getLogger().level, logging.getLogger().handlers) == before
