"""`fdnix update` makes the index that the other commands find."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import brotli
import pytest

from support.catalogues import entries
from support.channel_server import CHANNEL, REVISION, serve, serving
from support.databases import write_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def fdnix(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command for a user whose home is `home`."""
    unset = {"FDNIX_DB", "OUTPUT_MINIFIED_PATH"}
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, "-m", "fdnix", *arguments],
        env=environ | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_channel_becomes_the_users_index_and_is_found_without_an_option(
    tmp_path: Path,
) -> None:
    catalogue = json.dumps({"version": 2, "packages": entries(30)}).encode()
    with serve(brotli.compress(catalogue)) as channel:
        env = {"NIXPKGS_CHANNEL_URL": channel.url, "ARTIFACTS_BUCKET": "of-another-run"}
        made = fdnix(tmp_path, "update", "--channel", CHANNEL, **env)
        assert made.returncode == 0, made.stderr
        again = fdnix(tmp_path, "update", "--json", "--channel", CHANNEL, **env)
    path = made.stdout.splitlines()[-1]
    assert path.startswith(str(tmp_path))
    assert json.loads(again.stdout)["metadata"]["unchanged"] is True
    shown = fdnix(tmp_path, "show", "editor0", "--json")
    assert shown.returncode == 0, shown.stderr
    assert (
        json.loads(fdnix(tmp_path, "info", path, "--json").stdout)["meta"]["nixpkgs_revision"]
        == REVISION
    )


def test_a_published_index_becomes_the_users(indexed: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((indexed / "fdnix.duckdb").read_bytes()).hexdigest()
    with serving(indexed) as url:
        address = f"{url}/fdnix.duckdb"
        fetched = fdnix(tmp_path, "update", "--json", "--from", address, "--sha256", digest)
        assert fetched.returncode == 0, fetched.stderr
        told = fdnix(tmp_path, "update", "--from", address, "--sha256", digest)
    assert json.loads(fetched.stdout)["packages"] == 30
    assert "unchanged, 30 packages" in told.stdout
    assert fdnix(tmp_path, "search", "editor").returncode == 0


@contextmanager
def publishing(directory: Path, certificate: Path) -> Iterator[str]:
    """The https URL of the files in `directory`, and of what is at /away of another server."""
    key = certificate.with_suffix(".key")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    extensions = ("subjectAltName=IP:127.0.0.1", "keyUsage=critical,digitalSignature,keyCertSign")
    subprocess.run(
        [*command.split(), "-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
        + [word for extension in extensions for word in ("-addext", extension)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(directory) as plain:

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/away/"):
                    self.send_response(302)
                    self.send_header("Location", plain + self.path.removeprefix("/away"))
                    self.end_headers()
                else:
                    super().do_GET()

        handler = partial(Handler, directory=str(directory))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"https://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()


def publish(path: Path, digest: str | None = None) -> None:
    """Write a file's checksum beside it, as `sha256sum` does."""
    digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_published_index_comes_over_https_with_its_checksum_or_not_at_all(
    indexed: Path, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    publish(shutil.copyfile(indexed / "fdnix.duckdb", served / "good.duckdb"))
    publish(shutil.copyfile(indexed / "fdnix.duckdb", served / "changed.duckdb"), "0" * 64)
    publish(write_database(served / "old.duckdb", "minified", schema_version=1))
    write_database(served / "bare.duckdb", "minified")
    certificate = tmp_path / "authority.pem"
    with publishing(served, certificate) as url:

        def update(name: str, authority: Path = certificate) -> tuple[int, str]:
            env = {"SSL_CERT_FILE": str(authority)}
            ended = fdnix(tmp_path, "update", "--from", f"{url}/{name}", **env)
            assert "Traceback" not in ended.stderr
            return ended.returncode, ended.stdout + " ".join(ended.stderr.split())

        code, told = update("good.duckdb")
        assert (code, "fetched, 30 packages" in told) == (0, True), told
        for name, ends, says in (
            ("changed.duckdb", 4, "has the checksum"),
            ("old.duckdb", 4, "schema version 1"),
            ("bare.duckdb", 3, "holds no SHA-256 (HTTP 404)"),
            ("away/good.duckdb", 3, "redirects to http"),
        ):
            code, told = update(name)
            assert (code, says in told) == (ends, True), told
        code, told = update("good.duckdb", tmp_path / "none.pem")
        assert (code, "SSL_CERT_FILE" in told) == (3, True), told
        ended = fdnix(tmp_path, "update", "--from", f"{url}/good.duckdb", SSL_CERT_FILE="")
        assert (ended.returncode, "CERTIFICATE_VERIFY_FAILED" in ended.stderr) == (3, True)
    assert fdnix(tmp_path, "search", "editor").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--sha256", "0" * 64], 2, "--from"),
        (["--from", "http://127.0.0.1:9/fdnix.duckdb"], 2, "--sha256"),
        (["--from", "nonsense"], 2, "must be an https URL"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(
    arguments: list[str], code: int, says: str, tmp_path: Path
) -> None:
    ended = fdnix(tmp_path, "update", *arguments)
    assert ended.returncode == code
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_an_index_the_way_to_one_is_told(tmp_path: Path) -> None:
    ended = fdnix(tmp_path, "search", "editor", FDNIX_DB=str(tmp_path / "none.duckdb"))
    assert ended.returncode == 2
    assert "`fdnix update`" in ended.stderr
    assert "--db" in ended.stderr
