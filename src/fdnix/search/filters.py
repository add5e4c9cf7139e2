"""What a search may be narrowed to: one row a filter.

The macros' parameters, the fields of `Filters`, the command line's options and the table in
docs/search.md are made of these rows, and of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from fdnix.database.connection import read_sql


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter.

    Attributes:
        field: its name in `fdnix.search.Filters`.
        key: how a query spells it: `license:mit`, or `is:free` for a flag.
        parameter: its name among the parameters of `fdnix_search`.
        option: its name on the command line.
        condition: what holds for a row `p` of `packages` that passes; `x` is the value asked for,
            in lower case.
        help: what it asks, in a sentence.
        is_flag: whether it takes no value.
    """

    field: str
    key: str
    parameter: str
    option: str
    condition: str
    help: str
    is_flag: bool = False


FILTERS = (
    Filter(
        "platform",
        "platform",
        "only_platform",
        "--platform",
        "list_contains(p.platforms, x)",
        "Only what runs on this system, such as aarch64-darwin.",
    ),
    Filter(
        "attribute_set",
        "set",
        "only_set",
        "--set",
        "lower(p.attribute_set) = x",
        "Only this attribute set, such as python313Packages.",
    ),
    Filter(
        "license",
        "license",
        "only_license",
        "--license",
        "contains(lower(p.license), x)",
        "Only where the licence expression holds this.",
    ),
    Filter(
        "maintainer",
        "maintainer",
        "only_maintainer",
        "--maintainer",
        "contains(lower(p.maintainers), x)",
        "Only what this maintainer or team looks after.",
    ),
    Filter(
        "free_only",
        "free",
        "free_only",
        "--free",
        "NOT p.unfree",
        "Only free software.",
        is_flag=True,
    ),
    Filter(
        "hide_broken",
        "working",
        "hide_broken",
        "--hide-broken",
        "NOT p.broken",
        "Nothing marked broken.",
        is_flag=True,
    ),
    Filter(
        "hide_insecure",
        "secure",
        "hide_insecure",
        "--hide-insecure",
        "NOT p.insecure",
        "Nothing with known vulnerabilities.",
        is_flag=True,
    ),
    Filter(
        "hide_unavailable",
        "available",
        "hide_unavailable",
        "--hide-unavailable",
        "p.available",
        "Nothing that nixpkgs refuses to build.",
        is_flag=True,
    ),
)


def parameters() -> str:
    """The filters as parameters of a macro, with their defaults."""
    return ", ".join(f"{f.parameter} := {'false' if f.is_flag else 'NULL'}" for f in FILTERS)


def macros() -> str:
    """The SQL of the macros that the filters are, filters.sql, with a line for each of them."""
    arguments = ", ".join(f.parameter for f in FILTERS)
    asked = ",\n        ".join(
        f"'{f.field}': coalesce({f.parameter}, false) "
        f"OR list_contains(fdnix_asked(query, 'is', NULL), '{f.key}')"
        if f.is_flag
        else f"'{f.field}': fdnix_asked(query, '{f.key}', {f.parameter})"
        for f in FILTERS
    )
    any_asked = " OR ".join(
        [f"f.{f.field}" if f.is_flag else f"len(f.{f.field}) > 0" for f in FILTERS]
        + ["len(f.phrases) > 0", "len(f.excluded) > 0"]
    )
    passed = "\n    AND ".join(
        f"(NOT f.{f.field} OR ({f.condition}))"
        if f.is_flag
        else f"len(list_filter(f.{f.field}, lambda x: NOT coalesce({f.condition}, false))) = 0"
        for f in FILTERS
    )
    return read_sql("search", "filters").format(
        any_asked=any_asked, arguments=arguments, asked=asked, passed=passed
    )
