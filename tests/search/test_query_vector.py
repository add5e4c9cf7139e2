"""A query's vector is the same whether numpy, Python or SQL computes it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fdnix.embedding.local import LocalEmbedder
from fdnix.search.query_vector import query_vector
from support.search import bare_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import duckdb

EXAMPLES = int(os.environ.get("FDNIX_HOSTILE_EXAMPLES", "60"))
SOFTWARE = ["file", "manager", "##er", "kubernetes", "c++", "x86_64", "3.14", "libfoobarbaz", "é"]


@pytest.fixture(scope="module")
def client(minified: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with bare_client(minified) as opened:
        yield opened


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
        st.lists(st.one_of(st.sampled_from(SOFTWARE), st.text("abc-_.1 ", max_size=8))).map(
            " ".join
        ),
    )
)
@example(text="")
@example(text="…")
@example(text="terminal file manager with previews")
@example(text="file manager file manager file")
@example(text="pneumonoultramicroscopicsilicovolcanoconiosis " * 3)
@example(text="a" * 300)
@example(text="naïve ﬁle ⅷ ẞ İstanbul")
@example(text="ascii\0after")
@example(text="é\0after")
def test_python_and_sql_agree_with_the_local_model(
    client: duckdb.DuckDBPyConnection, text: str
) -> None:
    expected = LocalEmbedder().embed([text])[0]
    row = client.execute("SELECT vector FROM fdnix_embed(?)", [text]).fetchone()
    assert row is not None
    for found in (row[0], query_vector(text, lambda tokens: lookup(client, tokens))):
        assert (found is None) == (not expected.any())
        if found is not None:
            length = np.linalg.norm(np.array(found))
            assert np.array(found) @ expected / length >= 0.999


def lookup(
    client: duckdb.DuckDBPyConnection, tokens: Iterable[str]
) -> dict[str, tuple[float, Sequence[int]]]:
    rows = client.execute(
        "SELECT token, weight, vector FROM search_model WHERE list_contains(?, token)",
        [list(tokens)],
    ).fetchall()
    return {token: (weight, vector) for token, weight, vector in rows}
