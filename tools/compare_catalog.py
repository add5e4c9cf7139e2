"""Hold a full database against the catalogue it was made of, field by field.

Shares no code with fdnix: a catalogue is read as plain JSON, a database by a bare DuckDB client,
and what each column should hold is what docs/schema.md says of it. Differences are printed, one a
line, and end the script with 1.

Example: python tools/compare_catalog.py packages.json.br out/fdnix-data.duckdb --number 3000
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import brotli
import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLAGS = ("available", "broken", "insecure", "unfree", "unsupported")
# Of `meta`, what has a column or repeats one.
IN_COLUMNS = {
    *FLAGS,
    *("description", "longDescription", "homepage", "changelog", "downloadPage", "mainProgram"),
    *("license", "maintainers", "teams", "platforms", "badPlatforms", "knownVulnerabilities"),
    *("outputsToInstall", "sourceProvenance", "identifiers", "position", "name"),
    *("maintainersPosition", "nonTeamMaintainers", "teamsPosition"),
}


def main() -> None:
    """Compare as many packages as are asked for, chosen by a seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("catalogue", type=Path, help="packages.json, plain or Brotli")
    parser.add_argument("database", type=Path, help="the full database made of it")
    parser.add_argument("--number", type=int, default=3000, help="how many packages (3000)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (1)")
    options = parser.parse_args()
    packages = read_catalogue(options.catalogue)
    chosen = random.Random(options.seed).sample(  # noqa: S311 (a sample, no secret)
        sorted(packages), min(options.number, len(packages))
    )
    differences = 0
    with duckdb.connect(str(options.database), read_only=True) as connection:
        rows = read_rows(connection, chosen)
        for path in chosen:
            if path not in rows:
                print(f"{path}: is missing")
                differences += 1
                continue
            for column, expected, found in compare(path, packages[path], rows[path]):
                print(f"{path}: {column}: expected {expected!r}, found {found!r}")
                differences += 1
    print(f"{len(chosen):,} packages compared: {differences:,} differences", file=sys.stderr)
    sys.exit(1 if differences else 0)


def read_catalogue(path: Path) -> dict[str, dict[str, Any]]:
    """The packages of a catalogue by attribute path, whichever form it has."""
    content = path.read_bytes()
    if path.suffix == ".br":
        content = brotli.decompress(content)
    document: dict[str, Any] = json.loads(content)
    packages: dict[str, dict[str, Any]] = document.get("packages", document)
    return packages


def read_rows(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> dict[str, dict[str, Any]]:
    """The rows of these packages by attribute path."""
    result = connection.execute(
        "SELECT * EXCLUDE (indexed_at) FROM packages WHERE package_id IN (SELECT unnest(?))",
        [paths],
    )
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {row["package_id"]: row for row in rows}


def compare(
    path: str, entry: Mapping[str, Any], row: Mapping[str, Any]
) -> Iterator[tuple[str, object, object]]:
    """What differs: column, what the catalogue has, what the database has."""
    for column, expected in expectations(path, entry).items():
        found = row[column]
        if column in {"description", "long_description"} and found is not None:
            found = " ".join(found.split())
        if column == "meta_extra" and found is not None:
            found = json.loads(found)
        if found != expected:
            yield column, expected, found
    meta = entry.get("meta", {})
    for column, name in (("platforms", "platforms"), ("bad_platforms", "badPlatforms")):
        listed = platforms(meta.get(name))
        if listed is not None and listed != row[column]:
            yield column, listed, row[column]


def expectations(path: str, entry: Mapping[str, Any]) -> dict[str, object]:
    """What docs/schema.md says that each column holds."""
    meta = {key: value for key, value in entry.get("meta", {}).items() if value is not None}
    parts = re.findall(r'"(?:[^"\\]|\\.)*"|[^.]+', path)
    identifiers = meta.get("identifiers", {})
    cpes = [identifiers.get("cpe"), *(one["cpe"] for one in identifiers.get("possibleCPEs", []))]
    licenses = [license_ for license_ in flat(meta.get("license")) if license_]
    changelogs, downloads = addresses(meta.get("changelog")), addresses(meta.get("downloadPage"))
    purls = identifiers.get("purls") or [identifiers[k] for k in ("purl",) if identifiers.get(k)]
    extra = {key: value for key, value in meta.items() if key not in IN_COLUMNS and value != {}}
    extra |= {
        key: value
        for key, value in (
            ("changelog", changelogs[1:]),
            ("downloadPage", downloads[1:]),
            ("purls", unique(purls)),
        )
        if value
    }
    columns: dict[str, object] = {
        "attribute_set": ".".join(parts[:-1]) or None,
        "attribute_name": parts[-1].strip('"'),
        "name": line(entry.get("name") or f"{entry['pname']}-{entry['version']}"),
        "description": line(meta.get("description")),
        "long_description": line(meta.get("longDescription")),
        "homepages": addresses(meta.get("homepage")),
        "changelog": next(iter(changelogs), None),
        "download_page": next(iter(downloads), None),
        "main_program": line(meta.get("mainProgram")),
        "maintainers": people(meta.get("maintainers")),
        "teams": unique(
            [team["shortName"] for team in flat(meta.get("teams")) if "shortName" in team]
        ),
        "known_vulnerabilities": unique(map(line, flat(meta.get("knownVulnerabilities")))),
        "outputs": unique(entry.get("outputs") or {}),
        "outputs_to_install": unique(flat(meta.get("outputsToInstall"))),
        "source_provenance": unique(
            [one["shortName"] for one in flat(meta.get("sourceProvenance"))]
        ),
        "cpe": next(filter(None, cpes), None),
        "position": line(meta.get("position")),
        "system": entry.get("system"),
        "meta_extra": extra or None,
        **{flag: truth(meta.get(flag)) for flag in FLAGS},
    }
    if entry.get("pname") and entry.get("version") and entry["pname"] != entry.get("name"):
        columns |= {"pname": line(entry["pname"]), "version": line(entry["version"])}
    if licenses and all(
        isinstance(one, dict) and one.get("spdxId", "unknown") != "unknown" for one in licenses
    ):
        columns["license"] = re.sub(
            r" AND (?=(?!\S+-with-)\S+-exception)",
            " WITH ",
            " AND ".join(unique(line(one["spdxId"]) for one in licenses)),
        )
    if not licenses:
        columns["license"] = None
    return columns


def truth(value: object) -> object:
    """A flag, which older releases write as a string."""
    return value == "true" if isinstance(value, str) else value


def line(text: str | None) -> str | None:
    """A text in NFC with its blanks folded; None where nothing is left."""
    folded = unicodedata.normalize("NFC", text or "")
    kept = "".join(c for c in folded if c.isspace() or unicodedata.category(c) not in {"Cc", "Cf"})
    return " ".join(kept.split()) or None


def flat(value: object) -> list[Any]:
    """A value, or the values of a list of lists of them."""
    if value is None:
        return []
    if isinstance(value, list):
        return [one for part in value for one in flat(part)]
    return [value]


def unique(values: object) -> list[Any]:
    """The values, each once, in their order."""
    return list(dict.fromkeys(values))  # type: ignore[call-overload]


def addresses(value: object) -> list[str]:
    """The web addresses of a string, or of a list of strings."""
    words = [word for text in flat(value) for word in text.split()]
    return unique(
        word
        for word in words
        if urlsplit(word).scheme and urlsplit(word).netloc and not set(word) & set('{}<>"^`|')
    )


def people(value: object) -> list[dict[str, Any]]:
    """Maintainers as the column has them; older releases write `Name <email>`."""
    keys = {"name": "name", "email": "email", "github": "github", "matrix": "matrix"}
    found = []
    for given in flat(value):
        one = given
        if isinstance(given, str):
            name, _, email = given.partition(" <")
            one = {"name": name, "email": email.rstrip(">")}
        person = {column: line(one.get(key)) for column, key in keys.items()}
        found.append(person | {"github_id": one.get("githubId")})
    return found


def platforms(value: object) -> list[str] | None:
    """The systems, where all are named; None where there are none or patterns among them."""
    if value is None or not all(isinstance(one, str) for one in flat(value)):
        return None
    return unique(flat(value))


if __name__ == "__main__":
    main()
