"""The OpenAPI document, and answers that are as it says: requests made up by Schemathesis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx


def test_the_answers_are_as_the_document_says(site: str, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{site}/api/v1/openapi.json",
        "--max-examples=15",
        "--seed=13",
        "--phases=examples,coverage,fuzzing",
        "--exclude-checks=unsupported_method",
        "--continue-on-failure",
        "--no-color",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-8000:]


def test_the_document_names_every_filter_and_every_field(site: str) -> None:
    document = httpx.get(f"{site}/api/v1/openapi.json").json()
    parameters = document["paths"]["/api/v1/search"]["get"]["parameters"]
    assert {"q", "limit", "offset", "facets", "license", "set", "free", "top-level"} <= {
        parameter["name"] for parameter in parameters
    }
    package = httpx.get(f"{site}/api/v1/packages/ripgrep").json()
    assert set(package) == set(document["components"]["schemas"]["Package"]["required"])
