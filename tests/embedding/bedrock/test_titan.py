"""What is asked of the Titan model, and what is made of its answers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.embedding.bedrock import titan

WORDS = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=30)


@given(st.text(max_size=300))
def test_a_short_text_is_sent_as_it_is(text: str) -> None:
    assert titan.request(text, 256) == {"inputText": text, "dimensions": 256, "normalize": True}


@given(WORDS, st.integers(1_000, 30_000))
def test_a_long_text_is_cut_to_its_first_words(words: list[str], repeats: int) -> None:
    text = " ".join(words * (repeats // len(words)))
    cut = titan.cut(text)
    assert text.startswith(cut)
    assert len(cut) <= titan.MAX_CHARACTERS
    assert len(cut.split()) <= titan.MAX_TOKENS
    rest = text[len(cut) :]
    assert not rest or " " not in cut or rest[0].isspace()


@pytest.mark.parametrize("word", ["x", "é", "漢", "🦊"])
def test_a_text_without_blanks_is_cut_all_the_same(word: str) -> None:
    cut = titan.cut(word * 60_000)
    assert 0 < len(cut) <= titan.MAX_CHARACTERS
    assert len(cut.encode()) <= 3 * titan.MAX_TOKENS


def test_prose_within_the_limits_is_not_cut() -> None:
    text = "a terminal file manager with previews " * 500
    assert titan.cut(text) == text


@pytest.mark.parametrize("values", [[3.0, 4.0], [3e200, 4e200], [3e-200, 4e-200]])
def test_a_vector_is_made_unit_length(values: list[float]) -> None:
    vector = titan.vector(titan.Output(embedding=values), 2)
    np.testing.assert_allclose(vector, [0.6, 0.8], rtol=1e-6)


def test_the_vector_by_type_is_taken_where_there_is_no_other() -> None:
    output = msgspec.json.decode(b'{"embeddingsByType": {"float": [3, 4]}}', type=titan.Output)
    np.testing.assert_allclose(titan.vector(output, 2), [0.6, 0.8], rtol=1e-6)
