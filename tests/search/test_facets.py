"""What a page shows beside a search: counts for each filter, and names while they are typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix import Filters
from fdnix.search.filters import FILTERS
from support.search import bare_client

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix import SearchIndex

QUERIES = ["editor", "python requests", "editor license:mit", "set:python313Packages", "qzxv"]


@pytest.mark.parametrize("query", QUERIES)
def test_a_facets_count_is_what_a_search_with_it_finds(index: SearchIndex, query: str) -> None:
    found, facets = index.search_and_count(query)
    assert found.hits == index.search(query).hits
    assert bool(facets) == bool(found.total)
    assert index.search_and_count(query, offset=500)[1] == facets
    for facet in facets:
        narrowed = index.search(f'{query} {facet.key}:"{facet.value}"').total
        assert narrowed == facet.entries, facet


def test_the_filters_beside_a_query_narrow_its_facets(index: SearchIndex) -> None:
    _, facets = index.search_and_count("editor", filters=Filters(free_only=True))
    flags = {facet.value: facet.entries for facet in facets if facet.key == "is"}
    assert "unfree" not in flags
    assert flags["free"] == index.search("editor is:free").total


def test_the_most_frequent_value_of_a_facet_comes_first(index: SearchIndex) -> None:
    _, facets = index.search_and_count("is:free")
    licenses = [facet.entries for facet in facets if facet.key == "license"]
    assert licenses == sorted(licenses, reverse=True)
    assert len(licenses) > 3


@pytest.mark.parametrize(
    ("typed", "first"), [("ripg", "ripgrep"), ("Docker-C", "docker-compose"), ("fire", "firefox")]
)
def test_a_name_is_suggested_while_it_is_typed(index: SearchIndex, typed: str, first: str) -> None:
    assert index.suggest(typed)[0].package_id == first


def test_each_suggestion_is_there_once_and_begins_with_what_is_typed(index: SearchIndex) -> None:
    found = [suggestion.package_id for suggestion in index.suggest("p", limit=50)]
    assert len(found) == len(set(found)) > 20
    assert index.suggest("qzxv") == index.suggest("") == index.suggest("'; --") == []


def test_a_request_that_takes_too_long_is_ended_and_the_next_is_answered(
    index: SearchIndex,
) -> None:
    with pytest.raises(TimeoutError, match="took more than"), index.at_most(0.0001):
        index.search_and_count("is:free")
    assert index.search("ripgrep").hits[0].package_id == "ripgrep"


def test_the_ids_that_are_counted_stand_on_one_row(minified: Path) -> None:
    nothing_beside = ", NULL" * len(FILTERS)
    with bare_client(minified) as client:
        rows = client.execute(
            f"""
            WITH question AS MATERIALIZED (
                SELECT *, NULL::FLOAT[] AS vector FROM fdnix_question('editor'))
            SELECT count(*), count(entries), count(passing)
            FROM fdnix_rank(
                'question', fdnix_filters('editor is:free'{nothing_beside}), 10, 0,
                with_ids := true)
            """
        ).fetchone()
    assert rows == (10, 1, 1)
