"""S3 keys with placeholders: the key of a snapshot, of its `latest` alias, and back again.

A key template such as `nightly/{date}/fdnix.duckdb` names one object a run, a snapshot, and one
alias, `nightly/latest/fdnix.duckdb`. A template without placeholders is a key that each run
overwrites; it is its own alias and has no snapshots.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

PLACEHOLDERS = ("date", "timestamp", "revision")
LATEST = "latest"

MAX_KEY_BYTES = 1024
"""Bytes that an S3 key may have in UTF-8 (Amazon S3 user guide, "Naming Amazon S3 objects")."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_VALUE = {
    "date": r"\d{4}-\d\d-\d\d",
    "timestamp": r"\d{8}T\d{6}Z",
    "revision": r"[0-9A-Za-z.-]+",
}
_LONGEST_VALUE = "f" * 40


def template_problem(template: str) -> str | None:
    """What is wrong with a key template, as the end of a sentence, or None."""
    unknown = sorted(set(_PLACEHOLDER.findall(template)) - set(PLACEHOLDERS))
    if unknown:
        given = ", ".join(f"{{{name}}}" for name in unknown)
        accepted = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"holds {given}; the placeholders are {accepted}"
    rest = _PLACEHOLDER.sub("", template)
    if "{" in rest or "}" in rest:
        return "holds a brace that is no part of a placeholder"
    if template.startswith("/") or template.endswith("/") or not template.isprintable():
        return "is no usable key: it starts or ends with /, or holds control characters"
    if len(_PLACEHOLDER.sub(_LONGEST_VALUE, template).encode()) > MAX_KEY_BYTES:
        return f"may become longer than the {MAX_KEY_BYTES} bytes that S3 allows"
    return None


def has_placeholders(template: str) -> bool:
    """Whether each run writes an object of its own."""
    return _PLACEHOLDER.search(template) is not None


def snapshot_key(template: str, *, moment: datetime, revision: str) -> str:
    """The key of the run that began at `moment` (aware, rendered in UTC).

    `revision` is the nixpkgs revision; characters that would not read back from a key become `-`.
    """
    utc = moment.astimezone(UTC)
    values = {
        "date": f"{utc:%Y-%m-%d}",
        "timestamp": f"{utc:%Y%m%dT%H%M%SZ}",
        "revision": re.sub(r"[^0-9A-Za-z.-]", "-", revision) or "unknown",
    }
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def alias_key(template: str) -> str:
    """The key whose object is always that of the latest snapshot."""
    return _PLACEHOLDER.sub(LATEST, template)


def listing_prefix(template: str) -> str:
    """The longest prefix that all snapshots of the template share."""
    return template.partition("{")[0]


def snapshot_name(template: str, key: str) -> str | None:
    """The name of the snapshot that lies under `key`, or None if `key` is none of the template's.

    The name is made of the placeholders' values in the template's order, joined by `_`: templates
    with the same placeholders give the full and the minified database of one run one name.
    """
    if key == alias_key(template):
        return None
    names: list[str] = []
    pattern = ""
    for index, part in enumerate(_PLACEHOLDER.split(template)):
        if index % 2 == 0:
            pattern += re.escape(part)
        elif part in names:
            pattern += f"(?P={part})"
        else:
            names.append(part)
            pattern += f"(?P<{part}>{_VALUE[part]})"
    match = re.fullmatch(pattern, key)
    return "_".join(match[name] for name in names) if match and names else None
