"""The Lambda function that reads the layer: its bundle, and the layer version that it has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import fdnix
from fdnix.artifacts.lambda_layer import write_zip
from fdnix.aws import aws_client, explained
from fdnix.database.atomic import make_directory
from fdnix.errors import DataError, SettingsError
from fdnix.process_group import mortal_group
from fdnix.progress import log

if TYPE_CHECKING:
    from fdnix.artifacts.lambda_layer import Architecture
    from fdnix.settings import Settings

Runtime = Literal["python3.11", "python3.12", "python3.13"]

# What fdnix.web.lambda_handler imports; pip adds what these need.
_PACKAGES = ("duckdb", "jinja2", "mangum", "starlette")
# The oldest glibc of the runtimes is 2.26, of Amazon Linux 2 (Lambda developer guide, "Lambda
# runtimes"); wheels say for which they are (PEP 600).
_GLIBC = {"python3.11": 26, "python3.12": 34, "python3.13": 34}
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_LEFT_OUT = (
    "cli",
    "embedding/static_model",
    "nixpkgs/kinds.tsv",
    "nixpkgs/sample.json",
    "pipeline.py",
    "search/well_known.tsv",
)
_LARGEST_DIRECT = 50_000_000  # bytes; Lambda developer guide, "Lambda quotas"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A function's zip: its bytes, and what it unzips to."""

    path: Path
    bytes: int
    unzipped: int


def bundle_function(
    path: Path, *, runtime: Runtime, architecture: Architecture, room: int
) -> Bundle:
    """Write the zip of the function for a runtime and an architecture, out of wheels.

    Args:
        path: where to write it.
        runtime: Lambda's name of it.
        architecture: Lambda's name of it.
        room: the bytes that the layer leaves to it (LAYER_FUNCTION_BYTES).

    Raises:
        SettingsError: the wheels cannot be had.
        DataError: it unzips to more than `room`.
    """
    with TemporaryDirectory(prefix="fdnix-function-") as name:
        folder = Path(name)
        _install_wheels(folder, runtime, architecture)
        members = {
            str(file.relative_to(folder)): file
            for file in folder.rglob("*")
            if file.is_file() and file.relative_to(folder).parts[0] != "bin"
        } | _own_files()
        unzipped = sum(file.stat().st_size for file in members.values())
        if unzipped > room:
            raise DataError(
                f"the function unzips to {unzipped:,} bytes, the layer leaves it {room:,}; set "
                f"LAYER_FUNCTION_BYTES={unzipped} here and where the layer is published"
            )
        fresh = folder / "function.zip"
        write_zip(fresh, members, compression=zipfile.ZIP_DEFLATED)
        make_directory(path.parent)
        shutil.copyfile(fresh, path)
    size = path.stat().st_size
    if size > _LARGEST_DIRECT:
        log.warning("%s: has %s bytes; hand it to Lambda by way of S3", path, f"{size:,}")
    return Bundle(path, size, unzipped)


def give_layer(settings: Settings, layer_version: str) -> bool:
    """Have the function LAYER_FUNCTION read a layer version; whether it read another before.

    Its other layers stay.

    Raises:
        AwsError: Lambda refuses or fails.
    """
    name = settings.layer_function or ""
    client = aws_client("lambda", settings.aws_region)
    with explained(f"read the configuration of the function {name}"):
        configuration = client.get_function_configuration(FunctionName=name)
    before = [str(layer["Arn"]) for layer in configuration.get("Layers", [])]
    if layer_version in before:
        return False
    layer = layer_version.rpartition(":")[0]
    others = [arn for arn in before if arn.rpartition(":")[0] != layer]
    with explained(f"give the function {name} the layer version {layer_version}"):
        client.update_function_configuration(FunctionName=name, Layers=[*others, layer_version])
    log.info("function %s has %s", name, layer_version)
    return True


def _install_wheels(folder: Path, runtime: Runtime, architecture: Architecture) -> None:
    machine = _MACHINES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC[runtime], 16, -1)]
    platforms.append(f"manylinux2014_{machine}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--no-compile", "--implementation=cp", f"--target={folder}"]
    command += [f"--python-version={runtime.removeprefix('python')}"]
    command += [f"--platform={platform}" for platform in platforms]
    command += [f"{name}=={version(name)}" for name in _PACKAGES]
    with mortal_group() as group:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, process_group=group
        )
    if done.returncode:
        raise SettingsError(
            f"pip cannot have the wheels for {runtime} on {architecture}: "
            f"{done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}"
        )


def _own_files() -> dict[str, Path]:
    """The files of fdnix that the function needs, by their paths in the zip."""
    here = Path(fdnix.__file__).parent
    return {
        f"fdnix/{relative}": file
        for file in here.rglob("*")
        if file.is_file()
        and "__pycache__" not in file.parts
        and not (relative := file.relative_to(here).as_posix()).startswith(_LEFT_OUT)
    }
