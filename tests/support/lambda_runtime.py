"""A function in Lambda's Python runtime, fed by a Runtime API on loopback.

The runtime is AWS's own client (awslambdaric); the API is "Lambda runtime API" of the Lambda
developer guide.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUNTIME = ("awslambdaric", "snapshot-restore-py", "simplejson")
START = """
import sys
sys.path[:0] = sys.argv[1:3]
from awslambdaric.__main__ import main
main(["awslambdaric", "fdnix.web.lambda_handler.handler"])
"""


class Function:
    """A function that has started: to be called, and looked at."""

    def __init__(self, calls: queue.Queue[str], answers: queue.Queue[Any], process: int) -> None:
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
        """The most memory that the function had so far."""
        status = Path(f"/proc/{self._process}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


@contextmanager
def running(task: Path, database: Path, *, prefix: tuple[str, ...] = ()) -> Iterator[Function]:
    """The function whose bundle is unzipped in `task`, over a database, with nothing else.

    It has no HOME and no packages but its own.
    """
    calls: queue.Queue[str] = queue.Queue()
    answers: queue.Queue[Any] = queue.Queue()

    class Api(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            event = calls.get().encode()
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
    if not runtime.exists():
        for name in _RUNTIME:
            for file in files(name) or []:
                target = runtime / file
                if ".." not in file.parts and file.suffix != ".pyc":
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file.locate(), target)
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "fdnix",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": str(task),
            "FDNIX_DB": str(database),
        }
        command = [*prefix, sys.executable, "-S", "-B", "-c", START, str(task), str(runtime)]
        with subprocess.Popen(command, env=environment, cwd=task) as process:
            try:
                yield Function(calls, answers, process.pid)
            finally:
                process.kill()
                calls.put("{}")
                server.shutdown()
