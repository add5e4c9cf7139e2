"""What is made of the lines that a batch job wrote."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.embedding.bedrock.output import Reading, read_output

ONES = [1.0, 1.0, 1.0, 1.0]


def line(record: str, **rest: object) -> bytes:
    return json.dumps({"recordId": record, "modelInput": {"inputText": "x"}, **rest}).encode()


def good(record: str) -> bytes:
    return line(record, modelOutput={"embedding": ONES, "inputTextTokenCount": 1})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (line("a", modelOutput={"embedding": [0.5, 0.5]}), "2 dimensions instead of 4"),
        (line("a", modelOutput={"embedding": [0, 0, 0, 0]}), "zero"),
        (line("a", modelOutput={"embedding": [1.7e308] * 4}), "not finite"),
        (line("a", modelOutput={}), "no embedding"),
        (line("a", modelOutput={"embeddingsByType": {"binary": [1]}}), "no embedding"),
        (line("a"), "neither a vector nor an error"),
        (line("a", error={"errorCode": 400, "errorMessage": "too long"}), "400: too long"),
        (line("a", modelOutput={"embedding": [float("nan")] * 4}), "missing"),
        (good("a")[:40], "missing"),
        (b"", "missing"),
    ],
)
def test_a_record_without_a_vector_has_a_reason(row: bytes, reason: str) -> None:
    reading = Reading({"a", "b"})
    parts = list(read_output([good("b"), row], reading, 4))
    assert [part.content_hashes for part in parts] == [["b"]]
    assert reason in reading.failures("missing")["a"]


def test_vectors_are_made_unit_length() -> None:
    [part] = read_output([good("a")], Reading({"a"}), 4)
    np.testing.assert_allclose(part.vectors, [[0.5, 0.5, 0.5, 0.5]])
    assert part.vectors.dtype == np.float32


def test_a_good_line_wins_over_a_bad_one_of_the_same_record() -> None:
    for rows in ([line("a"), good("a")], [good("a"), line("a")]):
        reading = Reading({"a"})
        assert [part.content_hashes for part in read_output(rows, reading, 4)] == [["a"]]
        assert reading.failures("missing") == {}


def test_counts_that_differ_from_the_manifest_are_told() -> None:
    reading = Reading({"a", "b"})
    list(read_output([good("a")], reading, 4))
    manifest = {"totalRecordCount": 2, "successRecordCount": 2, "errorRecordCount": 0}
    assert reading.complaints(json.dumps(manifest).encode()) == [
        "a manifest of 2 vectors where 1 could be read"
    ]
    assert reading.complaints(json.dumps(manifest | {"successRecordCount": 1}).encode()) == []
    assert reading.complaints(None) == ["no manifest.json.out"]
    assert "cannot be read" in reading.complaints(b"{")[0]


@given(st.lists(st.binary(max_size=60)), st.randoms(use_true_random=False))
def test_rubbish_never_costs_a_good_line_nor_raises(rubbish: list[bytes], random: object) -> None:
    rows = [*rubbish, good("a"), good("b")]
    random.shuffle(rows)  # type: ignore[attr-defined]
    reading = Reading({"a", "b", "c"})
    found = {name for part in read_output(rows, reading, 4) for name in part.content_hashes}
    assert found == {"a", "b"}
    assert reading.failures("missing") == {"c": "missing"}
