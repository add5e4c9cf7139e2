"""What a search may be narrowed to: one row a filter.

The macros' parameters, the fields of `Filters`, the command line's options and docs/filters.md are
made of these rows, and of nothing else.
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
        condition: what holds for a row `p` of `search_profiles` that passes, or of `packages`;
            `x` is the value asked for, in lower case.
        help: what it asks, in a sentence.
        values: the values that rows have, to name the nearest of where none is as asked for.
        of_package: whether each package is asked, since few have it in common.
        is_flag: whether it takes no value.
        opposite: how a query spells the opposite of a flag.
    """

    field: str
    key: str
    parameter: str
    option: str
    condition: str
    help: str
    values: str = "NULL"
    of_package: bool = False
    is_flag: bool = False
    opposite: str | None = None


FILTERS = (
    Filter(
        "platform",
        "platform",
        "only_platform",
        "--platform",
        # Between systems stands what no word of a query holds.
        "contains(concat('-', array_to_string(p.platforms, '-\n-'), '-'), concat('-', x, '-'))",
        "Only what runs on this system, such as aarch64-darwin, or on systems such as darwin.",
        values="unnest(p.platforms)",
    ),
    Filter(
        "attribute_set",
        "set",
        "only_set",
        "--set",
        "lower(p.attribute_set) = x "
        "OR lower(regexp_replace(p.attribute_set, '[0-9_]+', '', 'g')) = x "
        r"OR lower(regexp_replace(p.attribute_set, '([a-z][0-9])[0-9]+', '\1')) = x",
        "Only this attribute set, such as python313Packages, or sets such as pythonPackages.",
        values="p.attribute_set",
    ),
    Filter(
        "license",
        "license",
        "only_license",
        "--license",
        "contains(p.license_words, concat(' ', x, ' ')) "
        "OR contains(p.license_words, concat(' ', x, '-'))",
        "Only under this licence, by its SPDX identifier or nixpkgs' name; gpl means every GPL.",
        values="unnest(list_filter(regexp_extract_all(p.license, '[A-Za-z0-9.+-]+'), "
        "lambda word: word NOT IN ('AND', 'OR', 'WITH')))",
    ),
    Filter(
        "maintainer",
        "maintainer",
        "only_maintainer",
        "--maintainer",
        "contains(lower(p.maintainers), x)",
        "Only what this maintainer or team looks after.",
        values="unnest(regexp_split_to_array(p.maintainers, '[ ,]*[,@()][ ,@()]*'))",
        of_package=True,
    ),
    Filter(
        "free_only",
        "free",
        "free_only",
        "--free",
        "NOT p.unfree",
        "Only free software.",
        is_flag=True,
        opposite="unfree",
    ),
    Filter(
        "hide_broken",
        "working",
        "hide_broken",
        "--hide-broken",
        "NOT p.broken",
        "Nothing marked broken.",
        is_flag=True,
        opposite="broken",
    ),
    Filter(
        "hide_insecure",
        "secure",
        "hide_insecure",
        "--hide-insecure",
        "NOT p.insecure",
        "Nothing with known vulnerabilities.",
        is_flag=True,
        opposite="insecure",
    ),
    Filter(
        "hide_unavailable",
        "available",
        "hide_unavailable",
        "--hide-unavailable",
        "p.available",
        "Nothing that nixpkgs refuses to build.",
        is_flag=True,
        opposite="unavailable",
    ),
    Filter(
        "top_level",
        "top-level",
        "only_top_level",
        "--top-level",
        "p.attribute_set IS NULL",
        "Nothing out of an attribute set.",
        is_flag=True,
    ),
)
