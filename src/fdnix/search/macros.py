"""The SQL macros that are the ranking: the file holds them, and fdnix reads a file with its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fdnix.database.connection import read_sql
from fdnix.database.nearest import CANDIDATES
from fdnix.search.filters import FILTERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from fdnix.search.filters import Filter

_FIRST_DIMENSIONS = 64

# Made-up words have vectors too, of their pieces: to our model they are less like any package than
# this (benchmarks/non_words.py). For other models nothing was fitted.
_LEAST_SIMILARITY = 0.65
_LEAST_SIMILARITY_OF_OTHERS = 0.4
# The first dimensions of ours say most: the rest adds to the similarity of like texts, and takes
# little away. Of other models' they may say no more than any.
_LEAST_OF_FIRST = 0.5 * _LEAST_SIMILARITY
_LEAST_OF_FIRST_OF_OTHERS = -1.0


def create_macros(
    connection: duckdb.DuckDBPyConnection, dimensions: int, head: int, *, embeds: bool
) -> None:
    """Create `fdnix_search`, what looks packages up, and what they are made of, in the file.

    Those of text.sql and weights.sql, of which the tables are made, are there already.

    Args:
        connection: open on the file.
        dimensions: the length of its vectors.
        head: how many of their first dimensions are indexed.
        embeds: whether the file holds the model of its vectors.
    """
    _create_steps(connection, dimensions, head, embeds=embeds)
    connection.execute(
        read_sql("search", "embed")
        if embeds
        else "CREATE OR REPLACE MACRO fdnix_embed(query) AS TABLE SELECT NULL::FLOAT[] AS vector"
    )
    connection.execute(
        read_sql("search", "search").format(
            parameters=_filter_parameters(),
            arguments=", ".join(row.parameter for row in FILTERS),
        )
    )


def create_own_macros(connection: duckdb.DuckDBPyConnection, info: Mapping[str, str]) -> None:
    """Create, beside a file of which this is the file info, the macros that SearchIndex calls.

    All but those that put the steps together: `fdnix_search` alone takes DuckDB as long as the
    others, 18 ms.
    """
    for name in ("text", "weights"):
        connection.execute(read_sql("search", name))
    embeds = info.get("embedding_provider") != "bedrock"
    _create_steps(connection, *vector_lengths(info), embeds=embeds)


def _create_steps(
    connection: duckdb.DuckDBPyConnection, dimensions: int, head: int, *, embeds: bool
) -> None:
    first = first_dimensions(dimensions)
    connection.execute(
        read_sql("search", "vectors").format(
            dimensions=dimensions,
            head=head,
            first=first,
            rest=dimensions - first,
            candidates=CANDIDATES,
            least_similarity=_LEAST_SIMILARITY if embeds else _LEAST_SIMILARITY_OF_OTHERS,
            least_of_first=_LEAST_OF_FIRST if embeds else _LEAST_OF_FIRST_OF_OTHERS,
        )
    )
    for name in ("query", "match"):
        connection.execute(read_sql("search", name))
    connection.execute(_filter_macros())
    connection.execute(read_sql("search", "rank"))
    connection.execute(_facets())
    for name in ("suggest", "aliases", "lookup"):
        connection.execute(read_sql("search", name))


def vector_lengths(info: Mapping[str, str]) -> tuple[int, int]:
    """The length of the vectors of a file of which this is the file info, and how much is indexed.

    Where there are no vectors, lengths that a table without rows may have.
    """
    dimensions = int(info.get("embedding_dimensions", 2))
    return dimensions, min(int(info.get("embedding_head", 1)), dimensions)


def first_dimensions(dimensions: int) -> int:
    """How many of a vector's dimensions a search looks at first."""
    return min(_FIRST_DIMENSIONS, dimensions // 2)


def _filter_parameters() -> str:
    """The filters as parameters of a macro, with their defaults."""
    return ", ".join(f"{row.parameter} := {'false' if row.is_flag else 'NULL'}" for row in FILTERS)


def _filter_macros() -> str:
    """The SQL of the macros that the filters are: filters.sql, with a line for each of them."""
    values = [row for row in FILTERS if not row.is_flag]
    flags = [row for row in FILTERS if row.is_flag]
    flag_names = [name for row in flags for name in (row.key, row.opposite) if name]
    lists = [name for row in values for name in _lists(row)]
    texts = ["phrases", "no_phrases", "excluded_runs"]
    lists += ["flags", "no_flags", *texts]
    of_packages = [row for row in values if row.of_package]
    return read_sql("search", "filters").format(
        arguments=", ".join(row.parameter for row in FILTERS),
        asked=",\n            ".join(
            f"'{row.field}': fdnix_asked(pieces, '{row.key}:', {row.parameter}), "
            f"'no_{row.field}': fdnix_asked(pieces, '-{row.key}:', NULL)"
            for row in values
        ),
        flag_parameters=", ".join(
            f"CASE WHEN {row.parameter} THEN '{row.key}' END" for row in flags
        ),
        any_asked=_any(lists),
        asks_packages=_any([name for row in of_packages for name in _lists(row)] + texts),
        wanted=",\n        ".join(map(_wanted, flags)),
        passed="\n        AND ".join(
            [_passes(row) for row in values if not row.of_package]
            + [
                f"(NOT with_{row.field} OR ({row.condition})) "
                f"AND NOT (without_{row.field} AND ({row.condition}))"
                for row in flags
            ]
        ),
        passed_by_package=" AND ".join(map(_passes, of_packages)),
        keys=[row.key for row in values] + ["is"],
        flag_names=flag_names,
        nearest_values="\nUNION ALL\n".join(map(_nearest_value, values)),
    )


def _lists(row: Filter) -> tuple[str, str]:
    """The fields, of what is asked, that hold a filter's values and those that are negated."""
    return row.field, f"no_{row.field}"


def _any(lists: Sequence[str]) -> str:
    """Whether any of some fields of what is asked has a value."""
    return " + ".join(f"len(f.{name})" for name in lists) + " > 0"


def _facets() -> str:
    """The SQL of the macro that counts, with a column for each flag and for each opposite."""
    flags = [
        (name, condition)
        for row in FILTERS
        if row.is_flag
        for name, condition in (
            (row.key, row.condition),
            (row.opposite, f"NOT coalesce({row.condition}, false)"),
        )
        if name
    ]
    return read_sql("search", "facets").format(
        flag_columns=", ".join(f'bool_or({held}) AS "{name}"' for name, held in flags),
        flag_sums=", ".join(f'count_if("{name}") AS "{name}"' for name, _ in flags),
    )


def _wanted(row: Filter) -> str:
    """Whether a flag is asked for and whether its opposite is, by any of their names."""
    asked, refused = (
        f"list_contains(f.flags, '{row.key}')",
        f"list_contains(f.no_flags, '{row.key}')",
    )
    if row.opposite:
        asked += f" OR list_contains(f.no_flags, '{row.opposite}')"
        refused += f" OR list_contains(f.flags, '{row.opposite}')"
    return f"{asked} AS with_{row.field}, {refused} AS without_{row.field}"


def _passes(row: Filter) -> str:
    """The condition that a row has all values asked for and none that is negated.

    Most ask for one value: the function over a list, many times slower, is for those that do not.
    """
    asked, refused = f"f.{row.field}", f"f.no_{row.field}"
    one = re.sub(r"\bx\b", f"{asked}[1]", row.condition)
    return (
        f"CASE WHEN len({asked}) + len({refused}) = 0 THEN true "
        f"WHEN len({asked}) = 1 AND len({refused}) = 0 THEN {one} "
        f"ELSE len(list_filter({asked}, lambda x: NOT coalesce({row.condition}, false))) = 0 "
        f"AND len(list_filter({refused}, lambda x: coalesce({row.condition}, false))) = 0 END"
    )


def _nearest_value(row: Filter) -> str:
    columns = sorted(set(re.findall(r"\bp\.(\w+)", f"{row.condition} {row.values}")))
    return read_sql("search", "nearest_value").format(
        field=row.field,
        key=row.key,
        values=row.values,
        condition=row.condition,
        columns=", ".join(columns),
        table="packages" if row.of_package else "search_profiles",
    )
