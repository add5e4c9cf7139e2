"""Scores of ranked lists against tiered answers.

The unit is the entry (see `entries`): several variants in a ranked list count once, at the place of
the first; several among the answers count once, with the best tier among them. All engines are
scored through this one mapping, whether they group their results or not.

In the category `variant` only the package that is named is an answer: hits are compared by their
own id, siblings take their places in the list, and an entry still gains once.

Gains are 3, 2 and 1 for the first, second and third tier and 1 for later ones; the answers of a
known-item file are one tier, so that their gain is binary after division by the ideal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import islice
from math import log2
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from retrieval.queries import VARIANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from retrieval.queries import Query

Key: TypeAlias = int | str
"""An entry's number, or the id of a package that the catalogue does not hold."""

DEPTH = 10
"""How many places of a ranked list are scored."""

BEST_GAIN = 3


@dataclass(frozen=True)
class Scores:
    """Measures of one ranked list, or their means over several; each lies in [0, 1].

    Attributes:
        mrr: reciprocal rank of the first answer of any tier.
        hit1: 1 if the first place holds an answer of any tier.
        hit10: 1 if any of the first ten places does (success@10).
        ndcg: normalised discounted cumulated gain of the first ten places.
        best: reciprocal rank of the first answer of the first tier.
        exact1: 1 if the package in the first place is itself, and not by a sibling of its entry,
            an answer of the first tier.
    """

    mrr: float
    hit1: float
    hit10: float
    ndcg: float
    best: float
    exact1: float


def score(ranked: Sequence[str], query: Query, entry_of: Mapping[str, int]) -> Scores:
    """The scores of the package ids that an engine returned, best first."""

    def key_of(package_id: str) -> Key:
        return entry_of.get(package_id, package_id)

    gains = list(islice(_gains(ranked, query, key_of), DEPTH))
    best_tier = _gain_of_tier(0)
    return Scores(
        mrr=_reciprocal_rank(gain > 0 for gain in gains),
        hit1=float(any(gains[:1])),
        hit10=float(any(gains)),
        ndcg=ndcg(gains, _gain_by_key(query, key_of).values()),
        best=_reciprocal_rank(gain == best_tier for gain in gains),
        exact1=float(bool(ranked) and ranked[0] in query.relevant[0]),
    )


def mean(scores: Iterable[Scores]) -> Scores:
    """The mean of every measure.

    Raises:
        statistics.StatisticsError: there are no scores.
    """
    listed = list(scores)
    return Scores(
        **{
            field.name: fmean(getattr(item, field.name) for item in listed)
            for field in fields(Scores)
        }
    )


def ndcg(gains: Sequence[int], ideal: Iterable[int]) -> float:
    """The discounted cumulated gain of the first ten places over that of the ideal list.

    After Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, ACM TOIS 20(4),
    2002, with the discount log2(rank + 1), which unlike theirs tells the first two places apart.

    Args:
        gains: of the ranked list, best place first.
        ideal: of all answers, in any order; at least one is above 0.
    """
    return _dcg(gains) / _dcg(sorted(ideal, reverse=True))


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains[:DEPTH], start=1))


def _gain_of_tier(tier: int) -> int:
    return max(BEST_GAIN - tier, 1)


def _gain_by_key(query: Query, key_of: Callable[[str], Key]) -> dict[Key, int]:
    """The gain of every answer; of several with one key, that of the best tier."""
    gains: dict[Key, int] = {}
    for tier, ids in enumerate(query.relevant):
        for package_id in ids:
            gains.setdefault(key_of(package_id), _gain_of_tier(tier))
    return gains


def _gains(ranked: Sequence[str], query: Query, key_of: Callable[[str], Key]) -> Iterator[int]:
    """The gain of every place of the list, once the further variants of an entry are left out."""
    seen: set[Key] = set()
    if query.category == VARIANT:
        gain_by_id = _gain_by_key(query, str)
        for package_id in ranked:
            gain = 0 if key_of(package_id) in seen else gain_by_id.get(package_id, 0)
            if gain:
                seen.add(key_of(package_id))
            yield gain
        return
    gain_by_entry = _gain_by_key(query, key_of)
    for package_id in ranked:
        if (key := key_of(package_id)) not in seen:
            seen.add(key)
            yield gain_by_entry.get(key, 0)


def _reciprocal_rank(found: Iterable[bool]) -> float:
    return next((1 / rank for rank, hit in enumerate(found, start=1) if hit), 0.0)
