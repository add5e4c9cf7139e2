"""A function in Lambda's Python runtime, fed by a Runtime API on loopback.

The runtime is AWS's own client (awslambdaric); the API is "Lambda runtime API" of the Lambda
developer guide, the folders are those of "Lambda execution environment".
"""

from __future__ import annotations

import json
import os
import platform
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdnix.artifacts.lambda_function import bundle_function
from fdnix.artifacts.lambda_layer import write_zip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fdnix.artifacts.lambda_layer import Architecture

MEMORY = 512_000_000
ROOM = 67_000_000
RUNTIME: Any = f"python3.{sys.version_info.minor}"
ARCHITECTURE: Architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"

_CLIENT = ("awslambdaric", "snapshot-restore-py", "simplejson")
_TMP = 16_000_000
# Where control groups limit memory: version 1, version 2 (cgroups(7)).
_GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)
# The API's socket is made where the function is, whose network may be its own, and handed out.
_START = """
import os, resource, socket, sys
door, memory, *sys.path[:0] = sys.argv[1:]
with socket.socket(fileno=int(door)) as out, socket.create_server(("127.0.0.1", 0)) as api:
    os.environ["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:%d" % api.getsockname()[1]
    socket.send_fds(out, [b"."], [api.fileno()])
if int(memory):
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory),) * 2)
from awslambdaric.__main__ import main
main(["awslambdaric", "fdnix.web.lambda_handler.handler"])
"""
_PROBE = """
import errno, os, sys
def refused(path, size=1):
    try:
        with open(path, "wb") as file:
            file.write(bytes(size))
    except OSError as error:
        return error.errno
places = ("/probe", "/opt/probe", "/var/probe", "/var/task/probe", "/dev/shm/probe")
assert {refused(place) for place in places} <= {errno.EROFS, errno.ENOENT}, "not read-only"
assert refused("/tmp/probe") is None and refused("/tmp/much", 100_000_000) == errno.ENOSPC
with open("/proc/net/route") as routes:
    assert len(routes.readlines()) <= 1, "a network"
assert "HOME" not in os.environ
"""


class Function:
    """A function that has started: to be called, and looked at."""

    def __init__(
        self, calls: queue.Queue[str | None], answers: queue.Queue[Any], process: int
    ) -> None:
        self._calls = calls
        self._answers = answers
        self._process = process

    def __call__(self, path: str, query: str = "", **headers: str) -> dict[str, Any]:
        """The answer to a GET by way of a function URL."""
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": "fdnix.lambda-url.eu-west-1.on.aws", **headers},
            "requestContext": {
                "http": {"method": "GET", "path": path, "sourceIp": "192.0.2.1"},
                "domainName": "fdnix.lambda-url.eu-west-1.on.aws",
            },
            "isBase64Encoded": False,
        }
        self._calls.put(json.dumps(event))
        answer: dict[str, Any] = self._answers.get(timeout=60)
        return answer

    def peak_bytes(self) -> int:
        """The most memory that the function had so far, pages of files included."""
        status = Path(f"/proc/{_innermost(self._process)}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


def unzipped_function(folder: Path) -> Path:
    """The function's bundle, unzipped in a folder, with AWS's runtime client beside it."""
    bundle = bundle_function(
        folder / "function.zip", runtime=RUNTIME, architecture=ARCHITECTURE, room=ROOM
    )
    task = folder / "task"
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(task)
    assert bundle.unzipped == sum(file.stat().st_size for file in task.rglob("*") if file.is_file())
    for name in _CLIENT:
        for file in files(name) or []:
            target = folder / "runtime" / file
            if ".." not in file.parts and file.suffix != ".pyc":
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)
    return task


def unzipped_layer(folder: Path, database: Path) -> Path:
    """What is in /opt of a function with the layer of a database."""
    write_zip(folder / "layer.zip", {"fdnix/fdnix.duckdb": database})
    with zipfile.ZipFile(folder / "layer.zip") as archive:
        archive.extractall(folder / "opt")
    (folder / "layer.zip").unlink()
    return folder / "opt"


def why_not_confined() -> str | None:
    """Why no function can be confined here as Lambda does it; None where one can."""
    if Path(sys.base_prefix).is_relative_to("/opt"):
        return "this Python lies where the layer would"
    if not shutil.which("bwrap"):
        return "needs bubblewrap"
    nothing = Path("/mnt")
    command = [*_confinement(nothing, nothing, nothing), sys.executable, "-c", _PROBE]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    if "AssertionError" in done.stderr:
        raise AssertionError(done.stderr)
    return f"bubblewrap may not: {done.stderr.strip()}" if done.returncode else None


@contextmanager
def running(task: Path, layer: Path, *, confined: bool = False) -> Iterator[Function]:
    """The function in the folder `task`, with a layer's folder, no HOME and little memory.

    Confined, it has its own folders at Lambda's places, read-only, a small /tmp and no network.
    Where no control group can be made, what memory it reserves is limited, used or not.
    """
    calls: queue.Queue[str | None] = queue.Queue()
    answers: queue.Queue[Any] = queue.Queue()

    class Api(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if (call := calls.get()) is None:
                return
            event = call.encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536")
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() + 60) * 1000))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:::function")
            self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(event)))
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            answers.put(json.loads(body))

    runtime = task.with_name("runtime")
    paths = [Path("/var/task"), Path("/var/runtime")] if confined else [task, runtime]
    environment = {
        "AWS_LAMBDA_FUNCTION_NAME": "fdnix",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(paths[0]),
        **({} if confined else {"FDNIX_DB": str(layer / "fdnix" / "fdnix.duckdb")}),
    }
    ours, theirs = socket.socketpair()
    with (
        _little_memory() as (limited, reserved),
        subprocess.Popen(
            [
                *limited,
                *(_confinement(task, runtime, layer) if confined else []),
                *(sys.executable, "-S", "-B", "-c", _START),
                *map(str, [theirs.fileno(), reserved, *paths]),
            ],
            env=environment,
            cwd=task,
            pass_fds=[theirs.fileno()],
        ) as process,
    ):
        theirs.close()
        with ours:
            _, [listening], *_ = socket.recv_fds(ours, 1, 1)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Api, bind_and_activate=False)
        server.socket.close()
        server.socket = socket.socket(fileno=listening)
        with server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield Function(calls, answers, process.pid)
            finally:
                os.kill(_innermost(process.pid), signal.SIGKILL)
                process.wait()
                calls.put(None)
                server.shutdown()


@contextmanager
def _little_memory() -> Iterator[tuple[list[str], int]]:
    """The command before another whose memory it limits, and what is left for it to limit."""
    if group := _control_group():
        try:
            yield ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"], 0
        finally:
            group.rmdir()
    else:
        yield [], MEMORY


def _control_group() -> Path | None:
    """A new control group with little memory; None where none can be had."""
    for root, limit in _GROUPS:
        group = root / f"fdnix-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(MEMORY))
        except OSError:
            group.rmdir()
        else:
            return group
    return None


def _innermost(process: int) -> int:
    """What a process runs at last: bubblewrap starts what it confines by way of another."""
    while children := Path(f"/proc/{process}/task/{process}/children").read_text().split():
        [process] = map(int, children)
    return process


def _confinement(task: Path, runtime: Path, layer: Path) -> list[str]:
    """The command before another that confines it to what Lambda gives a function."""
    command = "bwrap --ro-bind / / --proc /proc --dev /dev --remount-ro /dev --tmpfs /var"
    command += f" --size {_TMP} --tmpfs /tmp --unshare-net --unshare-pid --die-with-parent"
    folders = ((task, "/var/task"), (runtime, "/var/runtime"), (layer, "/opt"))
    bound = [word for folder, at in folders for word in ("--ro-bind", str(folder), at)]
    return [*command.split(), *bound, "--remount-ro", "/var", "--chdir", "/var/task"]
