"""Promises of the Dockerfiles that can be read off them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest

from fdnix.settings import load_settings
from support.image import ROOT, in_context, instructions

FILES = [ROOT / "deploy" / "Dockerfile", ROOT / "deploy" / "Dockerfile.slim"]
HADOLINT = Path(sysconfig.get_path("scripts"), "hadolint")

each_file = pytest.mark.parametrize("dockerfile", FILES, ids=lambda file: file.name)


def last_stage(dockerfile: Path) -> list[tuple[str, str]]:
    steps = instructions(dockerfile)
    start = max(number for number, (name, _) in enumerate(steps) if name == "FROM")
    return steps[start:]


def environment(dockerfile: Path) -> dict[str, str]:
    values = [value for name, value in last_stage(dockerfile) if name == "ENV"]
    return dict(word.split("=", 1) for value in values for word in shlex.split(value))


@each_file
def test_hadolint_has_nothing_to_say(dockerfile: Path) -> None:
    done = subprocess.run(
        [HADOLINT, "--no-color", "--failure-threshold=style", dockerfile],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@each_file
def test_the_image_runs_the_index_as_a_user_of_a_fixed_id(dockerfile: Path) -> None:
    steps = dict(last_stage(dockerfile))
    assert steps["USER"] == "10001:10001"
    assert json.loads(steps["CMD"]) == ["python", "src/index.py"]
    assert json.loads(steps["VOLUME"]) == ["/out", "/tmp"]
    assert "ENTRYPOINT" not in steps


def test_the_full_image_is_made_with_the_nix_that_is_asked_for() -> None:
    bases = [value for name, value in instructions(FILES[0]) if name == "FROM"]
    assert bases == ["nixos/nix:2.31.0 AS build", "scratch"]
    assert "nix_2_31" in (ROOT / "deploy" / "environment.nix").read_text()


@each_file
def test_the_image_is_labelled(dockerfile: Path) -> None:
    labels = dict(last_stage(dockerfile))["LABEL"]
    for label in ("title", "description", "licenses", "base.name"):
        assert f"org.opencontainers.image.{label}=" in labels


@each_file
def test_the_environment_holds_settings_that_are_accepted_and_no_secret(dockerfile: Path) -> None:
    values = environment(dockerfile)
    load_settings(values)
    assert not [name for name in values if re.search("KEY|SECRET|TOKEN|PASSWORD|BUCKET|ARN", name)]


def test_the_engine_is_sent_what_the_images_are_made_of_and_nothing_else() -> None:
    files = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], check=False, capture_output=True, text=True
    ).stdout.split()
    sent = {file.split("/")[0] for file in files if in_context(ROOT / file)}
    assert sent <= {"requirements", "deploy", "nix", "pyproject.toml", "src"}
    for name in (".env", "secrets.env", "out/fdnix.duckdb", "deploy/prod.env", ".git/config"):
        assert not in_context(ROOT / name)
    assert not in_context(ROOT / "src/fdnix/__pycache__/cli.cpython-313.pyc")
    for dockerfile in FILES:
        for name, value in instructions(dockerfile):
            if name == "COPY" and "--from" not in value:
                for source in value.split()[:-1]:
                    assert in_context(ROOT / source), source
