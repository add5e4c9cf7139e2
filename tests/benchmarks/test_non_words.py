from __future__ import annotations

from itertools import islice

from non_words import non_words


def test_words_that_nobody_uses_are_the_same_for_a_seed_and_none_is_known() -> None:
    words = list(non_words(set(), 200, seed=1))
    assert len(set(words)) == 200
    assert list(non_words(set(), 200, seed=1)) == words
    known = set(islice(words, 50))
    assert not known & set(non_words(known, 200, seed=1))
