"""moto as an HTTP server that tells what it is asked, while it is asked."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from support.bedrock_server import EMULATOR_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class MotoServer:
    """moto on a free loopback port."""

    def __init__(self, port: int = 0) -> None:
        """Listen on `port` (0: any free one); `start` answers."""
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self.after: Callable[[str], None] = lambda _: None
        """Called with method and path after a request is done and before it is answered; not for
        the requests of the Bedrock emulator."""
        self._app: Any = DomainDispatcherApplication(create_backend_app)
        self._http = make_server(
            "127.0.0.1", port, self._answer, threaded=True, request_handler=MotoRequestHandler
        )
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def start(self) -> None:
        """Answer requests in a thread of its own."""
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop answering."""
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._app(environ, start_response)
        if f"Credential={EMULATOR_KEY}/" not in environ.get("HTTP_AUTHORIZATION", ""):
            self.after(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return answer
