"""What a search may be narrowed to: one row a filter.

The macros' parameters, the fields of `Filters`, the command line's options and the table in
docs/search.md are made of these rows, and of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass


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
