"""Dockerfiles carried out without an engine: their steps run in a directory as root.

A base image that cannot be had is stood in for by directories of this machine, laid over so that
nothing is written to them. What an engine does with a Dockerfile, as far as ours use it, is in
https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dockerfile_parse import DockerfileParser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
LINKS = ("bin", "lib", "lib64", "sbin")


@dataclass(frozen=True)
class Base:
    """What stands in for a base image: directories of this machine by their place in the image."""

    layers: Mapping[str, Sequence[Path]]
    """The topmost first."""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Image:
    """A stage of a Dockerfile as far as it has been carried out."""

    base: Base
    directory: Path
    env: dict[str, str]
    workdir: str = "/"
    user: str = "0:0"
    command: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The directory that is the image's root."""
        return self.directory / "root"

    def path(self, inside: str) -> Path:
        """Where a path of the image, relative ones from its working directory, lies outside."""
        return Path(f"{self.root}{Path(self.workdir, inside)}")


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, without comments."""
    content = io.BytesIO(dockerfile.read_bytes())
    parser = DockerfileParser(fileobj=content)  # type: ignore[arg-type]  # it reads bytes
    return [
        (step["instruction"], step["value"])
        for step in parser.structure
        if step["instruction"] != "COMMENT"
    ]


@cache
def ignored() -> tuple[tuple[str, bool], ...]:
    """The lines of .dockerignore: each pattern, and whether what it matches is left out."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line for line in lines if line and not line.startswith("#")]
    return tuple((line.removeprefix("!"), not line.startswith("!")) for line in kept)


def in_context(path: Path) -> bool:
    """Tell whether the engine is sent the file at `path`; the last pattern that matches decides."""
    names = path.relative_to(ROOT).parts
    parents = ["/".join(names[: i + 1]) for i in range(len(names))]
    left_out = False
    for pattern, leaves_out in ignored():
        # `**/` stands for any number of directories, and for none.
        anywhere = pattern.startswith("**/")
        known = [f"/{parent}" for parent in parents] if anywhere else parents
        if any(fnmatch(one, pattern.replace("**/", "*/", 1)) for one in known):
            left_out = leaves_out
    return not left_out


def build(
    dockerfile: Path, bases: Mapping[str, Base], directory: Path, arguments: Mapping[str, str]
) -> Image:
    """The last stage of `dockerfile`, carried out in `directory` with stand-ins for its bases."""
    stages: dict[str, Image] = {}
    image = None
    for instruction, value in instructions(dockerfile):
        if instruction == "FROM":
            name, _, alias = value.partition(" AS ")
            base = bases[name]
            image = Image(base, directory / (alias or "final"), dict(base.env))
            stages[alias] = image
            _lay_out(image)
            continue
        assert image is not None
        match instruction:
            case "ARG":
                key, _, default = value.partition("=")
                image.env[key] = arguments.get(key, default)
            case "COPY":
                _copy(image, stages, value)
            case "RUN":
                done = run(image, ["/bin/sh", "-ec", value], user="0:0")
                assert done.returncode == 0, f"RUN {value}\n{done.stdout}{done.stderr}"
            case _:
                _configure(image, instruction, value)
    assert image is not None
    return image


def _configure(image: Image, instruction: str, value: str) -> None:
    match instruction:
        case "ENV":
            image.env |= dict(word.split("=", 1) for word in shlex.split(value))
        case "WORKDIR":
            image.workdir = str(Path(image.workdir, value))
            image.path(".").mkdir(parents=True, exist_ok=True)
        case "VOLUME":
            image.volumes += json.loads(value)
        case "USER":
            image.user = value
        case "CMD":
            image.command = json.loads(value)
        case "LABEL":
            pass
        case _:
            raise AssertionError(instruction)


def run(
    image: Image,
    command: Sequence[str] = (),
    *,
    env: Mapping[str, str] = {},
    volumes: Mapping[str, Path] | None = None,
    user: str | None = None,
    network: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a command (the image's own by default) in the image.

    Args:
        image: what to run in.
        command: the words of the command.
        env: what is added to the image's environment.
        volumes: directories of this machine by their place in the image. Where given, the root is
            read-only, and /tmp alone is writable beside them.
        user: `uid:gid`, the image's own by default.
        network: without, there is not even a way to this machine.
    """
    setup = [f"mount --rbind /{name} {image.root}/{name}" for name in ("proc", "dev")]
    if volumes is not None:
        setup = [f"mount --bind -o ro {image.root} {image.root}", *setup]
    setup += _layer_mounts(image, read_only=volumes is not None)
    if volumes is not None:
        setup.append(f"mount -t tmpfs -o mode=1777 tmpfs {image.root}/tmp")
        for at, path in volumes.items():
            Path(f"{image.root}{at}").mkdir(parents=True, exist_ok=True)
            setup.append(f"mount --bind {path} {image.root}{at}")
    variables = [f"{name}={value}" for name, value in {**image.env, **env}.items()]
    # The tools are this machine's: the image's PATH leads to none.
    setpriv, chroot = (shutil.which(tool) or tool for tool in ("setpriv", "chroot"))
    inside = [
        *(setpriv, "--no-new-privs"),
        *(chroot, f"--userspec={user or image.user}", "--groups=", str(image.root)),
        *("/bin/sh", "-c", 'cd "$0" && exec "$@"', image.workdir),
        *(command or image.command),
    ]
    script = "\n".join([*setup, f"exec env -i {shlex.join(variables + inside)}"])
    isolation = ["--mount", "--propagation=private", *(["--net"] if not network else [])]
    return subprocess.run(
        ["unshare", *isolation, "/bin/sh", "-ec", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


def _lay_out(image: Image) -> None:
    for name in ("proc", "dev", "tmp"):
        (image.root / name).mkdir(parents=True)
    (image.root / "tmp").chmod(0o1777)
    for name in LINKS:
        if Path("/", name).is_symlink() and "/usr" in image.base.layers:
            (image.root / name).symlink_to(Path("/", name).readlink())
    for at in image.base.layers:
        Path(f"{image.root}{at}").mkdir(parents=True, exist_ok=True)


def _layer_mounts(image: Image, *, read_only: bool) -> Iterator[str]:
    for number, (at, below) in enumerate(image.base.layers.items()):
        upper, work = (image.directory / "layers" / f"{number}-{name}" for name in ("up", "work"))
        for one in (upper, work):
            one.mkdir(parents=True, exist_ok=True)
        lower = ":".join(map(str, below))
        # What is written to may be mounted once at a time, and images are run side by side.
        options = (
            f"lowerdir={upper}:{lower}"
            if read_only
            else f"lowerdir={lower},upperdir={upper},workdir={work}"
        )
        yield f"mount -t overlay -o {options} overlay {image.root}{at}"


def _copy(image: Image, stages: Mapping[str, Image], value: str) -> None:
    *words, target = value.split()
    flags = [word for word in words if word.startswith("--")]
    stage = stages[flags[0].removeprefix("--from=")] if flags else None
    destination = image.path(target)
    for word in (word for word in words if not word.startswith("--")):
        if stage is None:
            _copy_from_context(ROOT / word, destination, into=target.endswith("/"))
        else:
            source = f"{stage.root}{word}"
            destination.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "--archive", f"{source}/.", destination], check=True)


def _copy_from_context(source: Path, destination: Path, *, into: bool) -> None:
    files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
    assert any(map(in_context, files)), f".dockerignore leaves {source} out"
    for file in filter(in_context, files):
        inside = Path(file.name) if source.is_file() and into else file.relative_to(source)
        target = destination / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def packages() -> list[Path]:
    """The directories that hold the packages the tests run with."""
    return [Path(entry) for entry in sys.path if Path(entry).name == "site-packages"]


def missing() -> str | None:
    """Why Dockerfiles cannot be carried out here, or None where they can."""
    if os.geteuid() != 0:
        return "only root can change its root directory"
    tools = [tool for tool in ("unshare", "chroot", "setpriv") if shutil.which(tool) is None]
    if tools:
        return f"{', '.join(tools)} are not installed"
    if not Path(sys.base_prefix, "bin", "python").exists():
        return f"{sys.base_prefix} has no command `python`, as the image's base has"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "the kernel has no overlay file system"
    return None


needs_root = pytest.mark.skipif(missing() is not None, reason=missing() or "")
