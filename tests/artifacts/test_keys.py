from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.artifacts import keys

MOMENT = datetime(2026, 11, 22, 23, 30, 5, tzinfo=UTC)
LITERAL = st.text("abcXYZ019-_./", min_size=1, max_size=12)
TEMPLATES = st.lists(
    st.sampled_from(["{date}", "{timestamp}", "{revision}"]), min_size=1, max_size=4
).flatmap(
    lambda names: st.lists(LITERAL, min_size=len(names), max_size=len(names)).map(
        lambda parts: "".join(a + b for a, b in zip(parts, names, strict=True)) + "x.duckdb"
    )
)


def test_placeholders_are_filled_with_the_start_of_the_run_in_utc() -> None:
    east = MOMENT.astimezone(timezone(timedelta(hours=9)))

    key = keys.snapshot_key("a/{date}/{timestamp}-{revision}.duckdb", moment=east, revision="c0ff")

    assert key == "a/2026-11-22/20261122T233005Z-c0ff.duckdb"


def test_a_key_without_placeholders_is_the_same_object_every_run() -> None:
    assert keys.snapshot_key("a/fdnix.duckdb", moment=MOMENT, revision="x") == "a/fdnix.duckdb"
    assert keys.alias_key("a/fdnix.duckdb") == "a/fdnix.duckdb"
    assert not keys.has_placeholders("a/fdnix.duckdb")
    assert keys.snapshot_name("a/fdnix.duckdb", "a/fdnix.duckdb") is None


def test_the_latest_alias_stands_in_for_every_placeholder() -> None:
    assert keys.alias_key("n/{date}/fdnix-{revision}.duckdb") == "n/latest/fdnix-latest.duckdb"


def test_both_databases_of_one_run_share_the_name_of_their_snapshot() -> None:
    full = keys.snapshot_name("n/{date}/full-{revision}", "n/2026-11-22/full-c0ff")
    small = keys.snapshot_name("m/{date}/{revision}.duckdb", "m/2026-11-22/c0ff.duckdb")

    assert full == small == "2026-11-22_c0ff"


@pytest.mark.parametrize(
    "key",
    ["n/latest/fdnix.duckdb", "n/2026-11-22/other.duckdb", "n/today/fdnix.duckdb", "fdnix.duckdb"],
)
def test_other_objects_under_the_prefix_are_no_snapshots(key: str) -> None:
    assert keys.snapshot_name("n/{date}/fdnix.duckdb", key) is None


def test_a_placeholder_that_stands_twice_must_read_the_same_twice() -> None:
    template = "{date}/fdnix-{date}.duckdb"

    assert keys.snapshot_name(template, "2026-11-22/fdnix-2026-11-22.duckdb") == "2026-11-22"
    assert keys.snapshot_name(template, "2026-11-22/fdnix-2026-11-23.duckdb") is None


@given(TEMPLATES, st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)), st.text())  # noqa: DTZ001
def test_every_snapshot_is_found_again_under_the_listed_prefix(
    template: str, moment: datetime, revision: str
) -> None:
    key = keys.snapshot_key(template, moment=moment, revision=revision)

    assert key.startswith(keys.listing_prefix(template))
    assert keys.snapshot_name(template, key)
    assert keys.snapshot_name(template, keys.alias_key(template)) is None
