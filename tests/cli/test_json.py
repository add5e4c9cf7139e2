"""What --json prints is what docs/json.md says."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from reference import json_schema

from fdnix.artifacts.published import Fetched
from fdnix.artifacts.s3 import Snapshot
from fdnix.artifacts.transfer import Location, RemoteObject
from fdnix.cli import render

if TYPE_CHECKING:
    from pathlib import Path


def held(command: str, printed: str) -> None:
    """Hold a document against the schema of a command, and every field against those it names."""
    document = json.loads(printed)
    schema = json_schema(command)
    assert document
    jsonschema.validate(document, schema)
    for definition in (schema, *schema.get("$defs", {}).values()):
        if "properties" in definition:
            definition["additionalProperties"] = False
    jsonschema.validate(document, schema)


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "editor"],
        ["show", "editor0"],
        ["which", "editor0"],
        ["similar", "editor0"],
    ],
    ids=" ".join,
)
def test_what_a_lookup_prints_is_as_its_schema_says(arguments: list[str], indexed: Path) -> None:
    held(arguments[0], printed(*arguments, "--db", str(indexed / "fdnix.duckdb")))


def test_what_a_run_and_info_print_is_as_their_schemas_say(tmp_path: Path) -> None:
    files = (f"--output={tmp_path / 'full'}", f"--minified={tmp_path / 'min'}")
    held("run", printed("run", "--source=sample", *files))
    held("info", printed("info", str(tmp_path / "min")))
    held("embed --dry-run", printed("embed", "--dry-run", files[0]))


def test_what_is_fetched_and_what_lies_in_s3_are_as_their_schemas_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    remote = RemoteObject(
        at=Location("bucket", "a/fdnix.duckdb"),
        size=1,
        last_modified=datetime(2026, 11, 22, 3, tzinfo=UTC),
        metadata={"kind": "minified"},
    )
    reports: dict[str, Any] = {
        "update --from": Fetched("fdnix.duckdb", "https://example.org", "0" * 64, 1, 2, False),
        "snapshots": [Snapshot("2026-11-22", {"minified": remote})],
        "rollback": Snapshot("2026-11-22", {"minified": remote}),
    }
    for command, report in reports.items():
        render.as_json(report)
        held(command, capsys.readouterr().out)


def printed(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "fdnix", *arguments, "--json"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
