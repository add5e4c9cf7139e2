"""A query's vector, of the local model that the minified database holds.

What `fdnix_embed` computes in SQL, computed from the same table in Python, which is several times
faster for one text: the tokens that may stand in it are looked up, the rest is arithmetic.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from fdnix.embedding.tokenizer import Tokenizer, pieces, units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Lookup = Callable[[Iterable[str]], dict[str, tuple[float, Sequence[int]]]]


def query_vector(text: str, lookup: Lookup) -> list[float] | None:
    """The vector of `text`, of no particular length; None where the model knows none of its tokens.

    Args:
        text: the query.
        lookup: gives weight and vector of each of some tokens that the model has.
    """
    found = units(text)
    pairs = (f"{first} {second}" for first, second in pairwise(found))
    known = lookup({*found, *pairs})
    if unknown := set(found) - known.keys():
        known |= lookup({piece for word in unknown for piece in pieces(word)})
    tokens = list(known)
    numbers = Tokenizer(tokens).encode(text)
    if not numbers:
        return None
    weighted = [known[tokens[number]] for number in numbers]
    return [
        sum(products)
        for products in zip(
            *([weight * value for value in vector] for weight, vector in weighted), strict=True
        )
    ]
