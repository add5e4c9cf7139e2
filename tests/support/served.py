"""`fdnix serve`, at a port that is free, until it has answered once: then as with Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from urllib.request import urlopen

with subprocess.Popen(
    [sys.executable, "-m", "fdnix", *sys.argv[1:], "--port", "0"], stdout=subprocess.PIPE, text=True
) as server:
    assert server.stdout
    url = server.stdout.readline().split()[-1]
    with urlopen(url) as answer:
        assert b"<html" in answer.read()
    server.send_signal(signal.SIGINT)
# 130 is its end by Ctrl-C.
sys.exit(server.returncode != 130)
