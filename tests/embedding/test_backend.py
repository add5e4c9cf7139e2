"""Whatever a provider gives, each text ends with one vector or one failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fdnix.embedding.backend import Failure, Provider, Text, Vectors, each_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def given(*results: Vectors | Failure, reads: bool = True) -> list[Vectors | Failure]:
    """What becomes of `results` for the texts a, b and c."""

    def vectors(texts: Iterator[Text], _total: int) -> Iterable[Vectors | Failure]:
        if reads:
            assert [text.content_hash for text in texts] == ["a", "b", "c"]
        return results

    texts = (Text(name, f"text {name}") for name in "abc")
    return list(each_once(Provider("local", "test", 1, vectors), texts, 3))


def vectors(*names: str, value: float = 1) -> Vectors:
    return Vectors(list(names), np.full((len(names), 1), value, dtype=np.float32))


def test_a_vector_that_comes_twice_is_taken_once() -> None:
    first, second = given(vectors("a", "b"), vectors("b", "c", "b", value=2))
    assert isinstance(first, Vectors)
    assert isinstance(second, Vectors)
    assert (first.content_hashes, second.content_hashes) == (["a", "b"], ["c"])
    assert second.vectors.tolist() == [[2]]


def test_a_text_that_nothing_came_for_is_a_failure() -> None:
    *_, failure = given(vectors("a", "b"))
    assert isinstance(failure, Failure)
    assert failure.content_hash == "c"
    assert len(given(reads=False)) == 3


def test_a_failure_gives_way_to_a_vector_and_comes_once() -> None:
    results = given(Failure("a", "busy"), Failure("b", "bad"), Failure("b", "bad"), vectors("a"))
    assert results[1:] == [
        Failure("b", "bad"),
        Failure("c", "its provider gave neither a vector nor a reason"),
    ]


def test_what_was_not_asked_for_is_left_out() -> None:
    assert [type(result) for result in given(vectors("x"), Failure("y", "bad"))] == [Failure] * 3
