"""What a dry run tells."""

from __future__ import annotations

import pytest

from fdnix.embedding.bedrock.estimate import estimate

MODEL = "amazon.titan-embed-text-v2:0"


@pytest.mark.parametrize(
    ("texts", "jobs", "on_demand"),
    [(0, 0, 0), (99, 0, 99), (100, 1, 0), (1000, 1, 0), (1099, 1, 99), (1100, 2, 0), (2000, 2, 0)],
)
def test_texts_too_few_for_a_job_go_on_demand(texts: int, jobs: int, on_demand: int) -> None:
    found = estimate(["x" * 47] * texts, provider="bedrock", model=MODEL, batch_size=1000)
    assert (found.texts, found.jobs, found.on_demand) == (texts, jobs, on_demand)
    assert found.tokens == 10 * texts


def test_a_batch_costs_half() -> None:
    texts = ["x" * 47_000] * 100
    batch = estimate(texts, provider="bedrock", model=MODEL, batch_size=1000)
    assert batch.tokens == 1_000_000
    assert batch.usd == pytest.approx(0.01)
    on_demand = estimate(texts[:50], provider="bedrock", model=MODEL, batch_size=1000)
    assert on_demand.usd == pytest.approx(0.01)


def test_an_unknown_price_is_not_guessed() -> None:
    found = estimate(["x"], provider="bedrock", model="another.model", batch_size=1000)
    assert found.usd is None
    assert "USD" not in str(found)


def test_the_local_model_costs_nothing() -> None:
    found = estimate(["x"] * 500, provider="local", model="fdnix-static-256-2", batch_size=1000)
    assert (found.jobs, found.on_demand, found.usd) == (0, 0, 0.0)
