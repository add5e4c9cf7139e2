"""What the index of the real catalogue is held to: size, recall, what it finds, and as a layer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.search import SearchIndex
from relevance import CURATED
from retrieval.corpus import load
from retrieval.queries import Part, read_queries, select
from retrieval.scoring import Scores, mean, score
from support.catalogues import settings_in
from support.lambda_runtime import (
    MEMORY,
    running,
    unzipped_function,
    unzipped_layer,
    why_not_confined,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [
    pytest.mark.catalogue,
    pytest.mark.skipif("FDNIX_TEST_DATA" not in os.environ, reason="FDNIX_TEST_DATA is not set"),
]

MOST_BYTES = 125_000_000
LEAST_RECALL = 0.95
LEAST_CURATED_NDCG = 0.81
LEAST_DEBIAN_MRR = 0.64
"""Measured: 0.822 and 0.652."""
BARE_NAMES = (
    "curl", "python3", "nodejs", "jdk", "openssl", "cmake", "go", "gcc", "vim", "git",
)  # fmt: skip
"""Each of them is the name of a package, and of others' programs, modules or beginnings."""
ASKED = 300
"""Of each file's tuning part, at most; the parts kept aside are for releases."""


# One test, so that the catalogue is built once and not by every worker.
def test_the_real_catalogue_is_small_and_found(tmp_path: Path, subtests: pytest.Subtests) -> None:
    data = Path(os.environ["FDNIX_TEST_DATA"])
    settings = settings_in(tmp_path, data / "nixpkgs-26.11" / "packages-info.json.br")
    report = pipeline.run(settings).minified
    assert report is not None
    assert report.packages == 91_873
    assert report.bytes <= MOST_BYTES
    assert report.recall is not None
    assert report.recall >= LEAST_RECALL
    path = settings.output_minified_path
    entry_of = load(path).entry_of
    with SearchIndex.open(path) as index:
        curated = found(index, CURATED, entry_of)
        debian = found(index, data / "relevance" / "debian-dev.jsonl", entry_of)
        bare = {name: index.search(name, limit=1).hits[0].package_id for name in BARE_NAMES}
    assert bare == {name: name for name in BARE_NAMES}
    assert curated.ndcg >= LEAST_CURATED_NDCG
    assert debian.mrr >= LEAST_DEBIAN_MRR
    with subtests.test("a Lambda function answers from its layer"):
        if reason := why_not_confined():
            pytest.skip(reason)
        task, layer = unzipped_function(tmp_path), unzipped_layer(tmp_path, path)
        with running(task, layer, confined=True) as function:
            page = function("/", "q=terminal+file+manager+license:mit")
            assert "/package/yazi" in page["body"]
            assert function.peak_bytes() < MEMORY


def found(index: SearchIndex, queries: Path, entry_of: Mapping[str, int]) -> Scores:
    """The mean scores of a page of ten."""
    return mean(
        score([hit.package_id for hit in index.search(query.q, limit=10).hits], query, entry_of)
        for query in select(read_queries(queries), Part.TUNE)[:ASKED]
    )
