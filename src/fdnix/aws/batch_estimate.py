"""What embedding with Bedrock would come to, worked out without asking anyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fdnix.embedding import titan

if TYPE_CHECKING:
    from collections.abc import Iterable

MINIMUM_RECORDS = 100
"""Bedrock refuses a batch of fewer records (Amazon Bedrock quotas, batch inference)."""


@dataclass(frozen=True)
class Estimate:
    """How many texts, how they are sent, and about what that costs."""

    texts: int
    jobs: int
    on_demand: int
    """Texts that are too few for a job of their own."""
    tokens: int
    usd: float | None
    """None for a model whose price is not known here."""

    def __str__(self) -> str:
        """The estimate in one line."""
        cost = "" if self.usd is None else f", about {self.usd:.4f} USD"
        return (
            f"{self.texts:,} texts: {self.jobs} batch jobs, {self.on_demand} texts on demand, "
            f"about {self.tokens:,} tokens{cost}"
        )


def estimate(texts: Iterable[str], *, model: str, batch_size: int) -> Estimate:
    """What sending these texts to `model` in jobs of `batch_size` records comes to."""
    count = tokens = 0
    for text in texts:
        count += 1
        tokens += titan.tokens(text)
    return of_counts(count, tokens, model=model, batch_size=batch_size)


def of_counts(count: int, tokens: int, *, model: str, batch_size: int) -> Estimate:
    """The same, for `count` texts of `tokens` tokens in all."""
    jobs, rest = divmod(count, batch_size)
    if rest >= MINIMUM_RECORDS:
        jobs, rest = jobs + 1, 0
    price = titan.USD_PER_MILLION_TOKENS.get(model)
    usd = None
    if price is not None:
        share = rest / count if count else 0
        usd = tokens / 1e6 * price * (share + (1 - share) * titan.BATCH_DISCOUNT)
    return Estimate(count, jobs, rest, tokens, usd)
