"""./fdnix and ./test on machines that have little: clear errors, and no second installation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SCRIPTS = ["fdnix", "test", "tools/venv.sh"]
REQUIREMENTS = ("run", "test")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the launchers and what they read, and an empty PATH-like directory `bin`."""
    for name in [*SCRIPTS, "requirements/run.txt", "requirements/build.txt", "pyproject.toml"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    return tmp_path


def command(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def launch(checkout: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "fdnix", *arguments],
        env={"PATH": f"{checkout}/bin:/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
    )


# A Python that makes a virtual environment whose pip logs that it was called, and whose fdnix
# tells its arguments.
PYTHON = """
case "$*" in
    "-m venv --clear "*)
        mkdir -p "$4/bin"
        printf '#!/bin/sh\\necho "$*" >>"{root}/pip.log"\\n[ ! -e "{root}/broken" ]\\n' \
            >"$4/bin/python"
        printf '#!/bin/sh\\necho "fdnix $*"\\n' >"$4/bin/fdnix"
        chmod +x "$4/bin/python" "$4/bin/fdnix" ;;
esac
exit 0
"""


@pytest.fixture
def with_python(checkout: Path) -> Path:
    """The checkout, beside a Python that can make environments."""
    command(checkout / "bin/python3", PYTHON.format(root=checkout))
    return checkout


def installations(checkout: Path) -> int:
    log = checkout / "pip.log"
    return log.read_text().count("--require-hashes") if log.exists() else 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_launchers_are_sound_shell(script: str) -> None:
    subprocess.run(["sh", "-n", ROOT / script], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(
            [
                *("shellcheck", "--shell=sh", "--external-sources"),
                *("--exclude=SC1091,SC2034,SC2154", ROOT / script),
            ],
            check=True,
        )


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_what_is_constrained_with_its_hashes(name: str) -> None:
    """What constraints.txt pins is what is installed, from wherever, byte for byte."""
    constraints = {
        re.sub("[-_.]+", "-", line.partition("==")[0]).lower(): line.strip().partition("==")[2]
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    text = (ROOT / f"requirements/{name}.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, re.MULTILINE))
    blocks = re.split(r"\n(?=[a-z])", text.strip())
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert {p: v for p, v in pinned.items() if constraints.get(p, v) != v} == {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in ("index", "aws", *(["test"] if name == "test" else [])):
        wanted += project["optional-dependencies"][extra]
    assert {Requirement(w).name.lower() for w in wanted} - {"fdnix"} <= pinned.keys()


def test_the_first_call_installs_and_the_second_only_runs(with_python: Path) -> None:
    first = launch(with_python, "search", "two words")
    assert (first.returncode, first.stdout) == (0, "fdnix search two words\n"), first.stderr
    assert "installing into .venv" in first.stderr
    assert installations(with_python) == 1
    second = launch(with_python, "info")
    assert (second.stdout, second.stderr) == ("fdnix info\n", "")
    assert installations(with_python) == 1


def test_changed_requirements_install_again(with_python: Path) -> None:
    launch(with_python)
    with (with_python / "requirements/run.txt").open("a") as file:
        file.write("# changed\n")
    launch(with_python)
    launch(with_python)
    assert installations(with_python) == 2


def test_an_installation_that_failed_is_an_error_and_is_tried_again(with_python: Path) -> None:
    (with_python / "broken").touch()
    failed = launch(with_python)
    assert failed.returncode == 2
    assert "the installation failed" in failed.stderr
    assert failed.stdout == ""
    (with_python / "broken").unlink()
    assert launch(with_python, "info").stdout == "fdnix info\n"
    assert installations(with_python) == 2


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_a_module_is_told_with_the_package_to_install(
    missing: str, checkout: Path
) -> None:
    script = f'case "$2" in *"import {missing}"*) exit 1;; *print*) echo 3.11;; esac; exit 0'
    command(checkout / "bin/python3", script)
    ended = launch(checkout)
    assert ended.returncode == 2
    assert f"has no module {missing}" in ended.stderr
    assert "apt-get install python3.11-venv" in ended.stderr
    assert not (checkout / ".venv").exists()


def test_no_python_or_too_old_a_one_is_told_with_the_remedy(checkout: Path) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.10"):
        command(checkout / "bin" / name, "exit 1")
    ended = launch(checkout, PYTHON="python3.10")
    assert ended.returncode == 2
    assert "Python 3.11 or later is needed" in ended.stderr
    assert "PYTHON=" in ended.stderr


def test_it_runs_from_any_directory_and_through_a_path_with_blanks(with_python: Path) -> None:
    spaced = with_python / "a dir"
    spaced.mkdir()
    for name in [*SCRIPTS, "requirements/run.txt", "requirements/build.txt", "pyproject.toml"]:
        (spaced / name).parent.mkdir(exist_ok=True)
        shutil.copy(with_python / name, spaced / name)
    ended = subprocess.run(
        [spaced / "fdnix", "info"],
        cwd="/",
        env={"PATH": f"{with_python}/bin:{os.defpath}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "fdnix info\n"), ended.stderr
    assert (spaced / ".venv").is_dir()
