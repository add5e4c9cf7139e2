"""S3 keys with placeholders: the key of a snapshot, of its `latest` alias, and back again.

A key template such as `nightly/{date}/fdnix.duckdb` names one object a run, a snapshot, and one
alias, `nightly/latest/fdnix.duckdb`. A template without placeholders is a key that each run
overwrites; it is its own alias and has no snapshots.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from fdnix.settings_checks import LATEST, PLACEHOLDER

_VALUE = {
    "date": r"\d{4}-\d\d-\d\d",
    "timestamp": r"\d{8}T\d{6}Z",
    "revision": r"[0-9A-Za-z.-]+",
}


def has_placeholders(template: str) -> bool:
    """Whether each run writes an object of its own."""
    return PLACEHOLDER.search(template) is not None


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
    return PLACEHOLDER.sub(lambda found: values[found[1]], template)


def alias_key(template: str) -> str:
    """The key whose object is always that of the latest snapshot."""
    return PLACEHOLDER.sub(LATEST, template)


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
    for index, part in enumerate(PLACEHOLDER.split(template)):
        if index % 2 == 0:
            pattern += re.escape(part)
        elif part in names:
            pattern += f"(?P={part})"
        else:
            names.append(part)
            pattern += f"(?P<{part}>{_VALUE[part]})"
    match = re.fullmatch(pattern, key)
    return "_".join(match[name] for name in names) if match and names else None
