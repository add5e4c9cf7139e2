"""The server of `fdnix serve`: the application, run by uvicorn."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import uvicorn

from fdnix.errors import SettingsError
from fdnix.web.app import create_app
from fdnix.web.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LONGEST_END = 10  # seconds that requests under way have when the server is to end


def serve(path: Path, host: str, port: int, *, ready: Callable[[str], None]) -> None:
    """Serve the index at `path` until a signal ends it.

    Args:
        path: a file that the minified phase wrote; one that is renamed over it is taken over.
        host: the name or address to listen at.
        port: 0 for any that is free.
        ready: is told the URL once connections are accepted.

    Raises:
        DataError: it is not a minified database of this schema version.
        SettingsError: nothing can listen there.
    """
    service = Service(path, workers=os.cpu_count() or 1)
    with _listening(host, port) as listener:
        address = f"[{host}]" if ":" in host else host
        ready(f"http://{address}:{listener.getsockname()[1]}/")
        config = uvicorn.Config(
            create_app(service, metrics=True),
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_LONGEST_END,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=256)
    except OSError as error:
        raise SettingsError(
            f"{host}:{port}: cannot listen there: {error.strerror or error}; "
            "name another with --host and --port"
        ) from error
    # Its connections inherit this. asyncio sees to it only for sockets that name their protocol;
    # without it an answer on a connection that is kept open waits 40 ms for the one before.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
