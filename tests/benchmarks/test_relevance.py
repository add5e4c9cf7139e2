"""The relevance benchmark: its queries, its entries and its scores."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from math import log2
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fdnix.nixpkgs.catalog import read_catalog
from retrieval.engines import fuse
from retrieval.entries import Package, entry_of
from retrieval.queries import KNOWN_ITEM, VARIANT, Part, Query, read_queries, select
from retrieval.scoring import Scores, mean, ndcg, score

CURATED = Path(__file__).parents[2] / "benchmarks" / "queries" / "curated.json"

IDS = st.lists(st.sampled_from("abcdefghijklmnopqrst"), unique=True, max_size=20)


@st.composite
def tiered_queries(draw: st.DrawFn) -> Query:
    ids = draw(IDS.filter(bool))
    cuts = sorted(draw(st.sets(st.integers(1, len(ids)), max_size=3)) | {len(ids)})
    starts = [0, *cuts[:-1]]
    tiers = tuple(tuple(ids[a:b]) for a, b in zip(starts, cuts, strict=True))
    return Query("q", draw(st.sampled_from(["intent", VARIANT])), tiers)


def query(*tiers: str, category: str = "intent") -> Query:
    return Query("q", category, tuple(tuple(tier.split()) for tier in tiers))


def entries(*packages: tuple[str, str | None, str, str | None]) -> dict[str, int]:
    return entry_of(Package(*package) for package in packages)


def are_one(first: tuple[str, str, str], second: tuple[str, str, str]) -> bool:
    packages = [
        Package(package_id, package_id.rpartition(".")[0] or None, pname, description)
        for package_id, pname, description in (first, second)
    ]
    return len(set(entry_of(packages).values())) == 1


class TestScores:
    def test_the_answer_in_second_place_by_hand(self) -> None:
        found = score(["x", "a"], query("a"), {})
        assert (found.mrr, found.hit1, found.hit10, found.best, found.exact1) == (0.5, 0, 1, 0.5, 0)
        assert found.ndcg == pytest.approx(1 / log2(3))

    def test_tiers_gain_three_two_and_one(self) -> None:
        found = score(["c", "b", "a"], query("a", "b", "c"), {})
        gained = 1 + 2 / log2(3) + 3 / 2
        ideal = 3 + 2 / log2(3) + 1 / 2
        assert found.ndcg == pytest.approx(gained / ideal)
        assert found.mrr == 1
        assert found.best == pytest.approx(1 / 3)
        assert found.exact1 == 0

    def test_a_fourth_tier_still_gains(self) -> None:
        assert score(["d"], query("a", "b", "c", "d"), {}).hit10 == 1

    def test_the_eleventh_place_does_not_count(self) -> None:
        missed = score([*"bcdefghijk", "a"], query("a"), {})
        assert missed == Scores(mrr=0, hit1=0, hit10=0, ndcg=0, best=0, exact1=0)

    def test_no_hits_score_nothing(self) -> None:
        assert score([], query("a"), {}).ndcg == 0

    def test_variants_of_an_entry_take_one_place(self) -> None:
        entry = {"requests313": 1, "requests314": 1, "httpx": 2}
        ranked = ["requests313", "requests314", "httpx"]
        assert score(ranked, query("httpx"), entry).mrr == 0.5

    def test_any_variant_of_an_answer_counts_once_with_its_best_tier(self) -> None:
        entry = {"postgresql": 1, "postgresql_17": 1}
        found = score(["postgresql_17", "postgresql"], query("postgresql", "postgresql_17"), entry)
        assert found == Scores(mrr=1, hit1=1, hit10=1, ndcg=1, best=1, exact1=0)

    def test_a_query_for_a_variant_is_not_answered_by_its_sibling(self) -> None:
        entry = {"postgresql": 1, "postgresql_17": 1}
        wanted = query("postgresql_17", category=VARIANT)
        assert score(["postgresql"], wanted, entry).hit10 == 0
        assert score(["postgresql", "postgresql_17"], wanted, entry).mrr == 0.5

    def test_variants_that_are_equally_right_gain_once(self) -> None:
        entry = {"zfs_2_3": 1, "zfs_2_4": 1}
        wanted = query("zfs_2_3 zfs_2_4", category=VARIANT)
        assert score(["zfs_2_4", "zfs_2_3"], wanted, entry).ndcg == 1

    @given(tiered_queries())
    def test_the_answers_in_order_score_one(self, wanted: Query) -> None:
        ranked = [package_id for tier in wanted.relevant for package_id in tier]
        assert set(asdict(score(ranked, wanted, {})).values()) == {1.0}

    @given(IDS, tiered_queries(), st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 3)))
    def test_every_measure_lies_between_zero_and_one(
        self, ranked: list[str], wanted: Query, entry: dict[str, int]
    ) -> None:
        for value in asdict(score(ranked, wanted, entry)).values():
            assert 0 <= value <= 1 + 1e-12

    @given(IDS, tiered_queries())
    def test_measures_agree_with_each_other(self, ranked: list[str], wanted: Query) -> None:
        found = score(ranked, wanted, {})
        assert found.exact1 <= found.hit1 <= found.mrr <= found.hit10
        assert found.best <= found.mrr
        assert (found.ndcg > 0) == (found.hit10 == 1)

    @given(st.lists(st.integers(0, 3), min_size=2, max_size=10), st.data())
    def test_moving_a_better_answer_up_never_lowers_ndcg(
        self, gains: list[int], data: st.DataObject
    ) -> None:
        assume(any(gains))
        place = data.draw(st.integers(0, len(gains) - 2))
        assume(gains[place] < gains[place + 1])
        better = [*gains[:place], gains[place + 1], gains[place], *gains[place + 2 :]]
        assert ndcg(better, gains) > ndcg(gains, gains)

    def test_the_mean_is_taken_measure_by_measure(self) -> None:
        found = mean([score(["a"], query("a"), {}), score([], query("a"), {})])
        assert set(asdict(found).values()) == {0.5}


class TestEntries:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (
                ("python313Packages.requests", "requests", "HTTP for humans"),
                ("python314Packages.requests", "requests", "HTTP for humans"),
            ),
            (
                ("linuxKernel.packages.linux_6_6.v4l2loopback", "v4l2loopback", ""),
                ("linuxKernel.packages.linux_zen.v4l2loopback", "v4l2loopback", ""),
            ),
            (
                ("lua51Packages.lpeg", "lua5.1-lpeg", "Parsing"),
                ("luajitPackages.lpeg", "luajit2.1-lpeg", "Parsing"),
            ),
            (("postgresql", "postgresql", "Database"), ("postgresql_17", "postgresql", "DB")),
            (("firefox", "firefox", "Browser"), ("firefox-esr", "firefox", "Browser")),
            (("boost", "boost", "C++ libraries"), ("boost186", "boost", "Libraries")),
        ],
    )
    def test_variants_are_one_entry(
        self, first: tuple[str, str, str], second: tuple[str, str, str]
    ) -> None:
        assert are_one(first, second)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (("requests", "requests", "x"), ("python313Packages.requests", "requests", "x")),
            (("gtk3", "gtk+3", "Toolkit"), ("gtk4", "gtk4", "Toolkit")),
            (
                ("octavePackages.image", "octave", "Images"),
                ("octavePackages.struct", "octave", "Structures"),
            ),
            (
                ("chickenEggs.srfi-1", "chicken-srfi", "Lists"),
                ("chickenEggs.srfi-13", "chicken-srfi", "Strings"),
            ),
            (("octavePackages.a", "octave", ""), ("octavePackages.b", "octave", "")),
        ],
    )
    def test_different_packages_are_not(
        self, first: tuple[str, str, str], second: tuple[str, str, str]
    ) -> None:
        assert not are_one(first, second)

    def test_an_entry_holds_what_is_tied_by_a_third(self) -> None:
        entry = entries(
            ("nodejs", None, "nodejs", "Runtime"),
            ("nodejs-lts", None, "nodejs", "Event-driven runtime"),
            ("nodejs_22", None, "nodejs", "Event-driven runtime"),
        )
        assert len(set(entry.values())) == 1


class TestQueries:
    def test_known_items_are_one_tier(self, tmp_path: Path) -> None:
        path = tmp_path / "known.jsonl"
        path.write_text('{"query": "pdf viewer", "relevant": ["zathura", "mupdf"]}\n')
        (read,) = read_queries(path)
        assert (read.q, read.category) == ("pdf viewer", KNOWN_ITEM)
        assert read.relevant == (("zathura", "mupdf"),)

    @pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"queries": items}])
    def test_tiered_files_may_be_a_list_or_an_object(self, tmp_path: Path, wrap: object) -> None:
        path = tmp_path / "tiered.json"
        item = {"q": "postgres", "category": "prefix", "relevant": [["postgresql"], ["pgcli"]]}
        assert callable(wrap)
        path.write_text(json.dumps(wrap([item])))
        (read,) = read_queries(path)
        assert read.relevant == (("postgresql",), ("pgcli",))

    @pytest.mark.parametrize(
        "text",
        [
            "[",
            '[{"q": "a"}]',
            '[{"q": "a", "category": "b", "relevant": []}]',
            '[{"q": "a", "category": "b", "relevant": [["c"], []]}]',
        ],
    )
    def test_a_bad_file_is_named(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "bad.json"
        path.write_text(text)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            read_queries(path)

    @given(st.lists(st.text(min_size=1), unique=True, max_size=20))
    def test_the_parts_divide_the_file(self, texts: list[str]) -> None:
        queries = tuple(Query(text, "a", (("b",),), held=len(text) % 2 == 0) for text in texts)
        tune, held = select(queries, Part.TUNE), select(queries, Part.HELD)
        assert set(tune) | set(held) == set(select(queries, Part.ALL))
        assert not set(tune) & set(held)

    def test_about_half_of_the_curated_queries_are_held(self) -> None:
        queries = read_queries(CURATED)
        assert 0.45 < len(select(queries, Part.HELD)) / len(queries) < 0.55

    def test_the_curated_queries_cover_every_category(self) -> None:
        queries = read_queries(CURATED)
        assert len({query.q.lower() for query in queries}) == len(queries) >= 260
        assert {query.category for query in queries} == {
            "exact-name",
            "prefix",
            "typo",
            "several-words",
            "intent",
            "program-name",
            "language-package",
            "variant",
        }

    def test_no_answer_stands_in_two_tiers(self) -> None:
        for item in read_queries(CURATED):
            ids = [package_id for tier in item.relevant for package_id in tier]
            assert len(ids) == len(set(ids)), item.q

    @pytest.mark.catalogue
    @pytest.mark.skipif("FDNIX_TEST_DATA" not in os.environ, reason="FDNIX_TEST_DATA is not set")
    def test_every_curated_answer_is_in_the_catalogue(self) -> None:
        folder = Path(os.environ["FDNIX_TEST_DATA"]) / "nixpkgs-26.11"
        known = read_catalog(folder / "packages.json.br").entries
        answers = {i for item in read_queries(CURATED) for tier in item.relevant for i in tier}
        assert answers <= set(known)


def test_fusion_puts_first_what_both_rankings_hold() -> None:
    assert fuse(["a", "b"], ["b", "c"]) == ["b", "a", "c"]
