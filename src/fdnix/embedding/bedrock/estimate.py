"""What embedding would come to, worked out without asking anyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fdnix.embedding.bedrock import titan

if TYPE_CHECKING:
    from collections.abc import Iterable

MINIMUM_RECORDS = 100
"""Bedrock refuses a batch of fewer records (Amazon Bedrock quotas, batch inference)."""


@dataclass(frozen=True)
class Estimate:
    """How many texts, how they are sent, and about what that costs.

    Attributes:
        provider: `local` or `bedrock`.
        model: the model's name.
        texts: how many have no vector yet.
        jobs: how many batch jobs they make.
        on_demand: how many of them are too few for a job of their own.
        tokens: about how many there are in all.
        usd: about what that costs; None for a model whose price is not known here.
    """

    provider: str
    model: str
    texts: int
    jobs: int
    on_demand: int
    tokens: int
    usd: float | None

    def __str__(self) -> str:
        """The estimate in one line."""
        cost = "" if self.usd is None else f", about {self.usd:.4f} USD"
        return (
            f"{self.texts:,} texts: {self.jobs} batch jobs, {self.on_demand} texts on demand, "
            f"about {self.tokens:,} tokens{cost}"
        )


def estimate(texts: Iterable[str], *, provider: str, model: str, batch_size: int) -> Estimate:
    """What embedding these texts comes to; the local provider has no jobs and costs nothing."""
    count = tokens = 0
    for text in texts:
        count += 1
        tokens += titan.tokens(text)
    if provider == "local":
        return Estimate(provider, model, count, 0, 0, tokens, 0.0)
    return of_counts(count, tokens, model=model, batch_size=batch_size)


def of_counts(count: int, tokens: int, *, model: str, batch_size: int) -> Estimate:
    """What sending `count` texts of `tokens` tokens in all to Bedrock comes to."""
    jobs, rest = divmod(count, batch_size)
    if rest >= MINIMUM_RECORDS:
        jobs, rest = jobs + 1, 0
    price = titan.USD_PER_MILLION_TOKENS.get(model)
    usd = None
    if price is not None:
        share = rest / count if count else 0
        usd = tokens / 1e6 * price * (share + (1 - share) * titan.BATCH_DISCOUNT)
    return Estimate("bedrock", model, count, jobs, rest, tokens, usd)
