"""Evaluating fdnix' Nix files with the real Nix against the stand-in for nixpkgs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
STUB = ROOT / "tests" / "support" / "nixpkgs-stub"

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

needs_nix = pytest.mark.skipif(
    shutil.which("nix-instantiate") is None, reason="nix-instantiate is not installed"
)


class EvaluationError(Exception):
    """Nix refused the expression; holds what it said."""


def evaluate(expression: str, system: str = "x86_64-linux") -> Any:
    """The value of a Nix expression in which `pkgs` is the stand-in and `root` the project.

    Raises:
        EvaluationError: Nix said no.
    """
    whole = f'let pkgs = import {STUB} {{ system = "{system}"; }}; root = {ROOT}; in {expression}'
    command = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", whole]
    done = subprocess.run(
        command,
        env=os.environ | {"NIX_REMOTE": "dummy://"},
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        raise EvaluationError(done.stderr)
    return json.loads(done.stdout)


def declared() -> list[Requirement]:
    """What the project requires to search, index, use AWS, and serve pages and assistants.

    Mangum is for a Lambda function alone.
    """
    extras = PROJECT["optional-dependencies"]
    wanted = (extras[name] for name in ("index", "aws", "web", "mcp"))
    named = PROJECT["dependencies"] + [requirement for extra in wanted for requirement in extra]
    left_out = {PROJECT["name"], "mangum"}
    return [found for found in map(Requirement, named) if found.name not in left_out]
