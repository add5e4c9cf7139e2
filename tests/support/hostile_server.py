"""A web server that answers with the bytes it is told, right or wrong, as long as it is told."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextmanager
def answering(
    catalogue: Iterable[tuple[bytes, float]],
    revision: Iterable[tuple[bytes, float]],
) -> Iterator[str]:
    """Yield the URL of a server of two files, each given as pieces and the pauses after them.

    The iterables are walked anew for each request, and may have no end: the connection's does.
    """
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(1 << 16)
                if not received:
                    return
                head += received
            asked = revision if b"git-revision" in head.split(b"\r\n")[0] else catalogue
            for piece, pause in asked:
                connection.sendall(piece)
                if over.wait(pause):
                    return
            connection.shutdown(socket.SHUT_WR)
            # Closing while the client still sends would take away what it has yet to read.
            while connection.recv(1 << 16):
                pass

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
