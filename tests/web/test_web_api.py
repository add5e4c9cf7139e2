"""The HTTP API of a real server process."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from fdnix.search import SearchIndex
from fdnix.search.filters import FILTERS
from fdnix.web.app import create_app
from fdnix.web.service import Limits, Service
from support.web_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HITS = "/api/v1/search"


@pytest.fixture(scope="module")
def client(site: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site) as opened:
        yield opened


def test_the_api_finds_what_the_engine_finds(client: httpx.Client, minified: Path) -> None:
    answer = client.get(HITS, params={"q": "text editor", "limit": 7, "offset": 2}).json()
    with SearchIndex.open(minified) as index:
        expected = index.search("text editor", limit=7, offset=2)
    assert answer["total"] == expected.total
    assert [hit["package_id"] for hit in answer["hits"]] == [hit.package_id for hit in expected]
    assert answer["hits"][0]["parts"].keys() == vars(expected.hits[0].parts).keys()


@pytest.mark.parametrize("row", FILTERS, ids=lambda row: row.key)
def test_every_filter_is_a_parameter(client: httpx.Client, row: Any) -> None:
    values = {"platform": "darwin", "set": "python313Packages", "license": "mit"}
    value = "true" if row.is_flag else values.get(row.key, "fabaff")
    in_query = f"is:{row.key}" if row.is_flag else f"{row.key}:{value}"
    beside = client.get(HITS, params={"q": "library", row.key: value}).json()
    within = client.get(HITS, params={"q": f"library {in_query}"}).json()
    everything = client.get(HITS, params={"q": "library"}).json()["total"]
    assert beside["total"] == within["total"] <= everything
    assert [hit["package_id"] for hit in beside["hits"]] == [
        hit["package_id"] for hit in within["hits"]
    ]


def test_facets_are_counted_where_they_are_asked_for(client: httpx.Client) -> None:
    assert client.get(HITS, params={"q": "editor"}).json()["facets"] == []
    facets = client.get(HITS, params={"q": "editor", "facets": "true"}).json()["facets"]
    assert {facet["key"] for facet in facets} == {"is", "license", "platform", "set"}


def test_a_package_has_all_its_fields_and_what_is_like_it(client: httpx.Client) -> None:
    package = client.get("/api/v1/packages/ripgrep").json()
    assert (package["main_program"], package["variants"][0]["package_id"]) == ("rg", "ripgrep")
    similar = client.get("/api/v1/packages/ripgrep/similar", params={"limit": 3}).json()["similar"]
    assert len(similar) == 3
    assert client.get("/api/v1/suggest?q=ripg").json()["suggestions"][0]["package_id"] == "ripgrep"
    assert client.get("/api/v1/info").json()["file"]["kind"] == "minified"


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/api/v1/packages/nodejs", "/api/v1/packages/nodejs_24"),
        ("/api/v1/packages/nodejs/similar?limit=3", "/api/v1/packages/nodejs_24/similar?limit=3"),
        ("/package/nodejs", "/package/nodejs_24"),
    ],
)
def test_another_name_of_a_package_leads_to_it(
    client: httpx.Client, path: str, location: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (307, location)
    assert "nodejs stands for nodejs_24 in nixpkgs" in answer.text
    assert client.get(path, follow_redirects=True).status_code == 200


def test_what_was_removed_is_told_with_what_to_use_instead(client: httpx.Client) -> None:
    said = client.get("/api/v1/packages/exa").json()
    assert said["status"] == 404
    assert "; exa was removed from nixpkgs: " in said["detail"]
    assert said["detail"].endswith("; there is eza")
    answer = client.get(HITS, params={"q": "exa"}).json()
    assert answer["hits"][0]["package_id"] == "eza"
    assert answer["notice"].startswith("exa was removed from nixpkgs")


def test_programs_popularity_and_what_the_index_lacks_are_told(client: httpx.Client) -> None:
    package = client.get("/api/v1/packages/bind").json()
    assert {"named", "dig", "nslookup"} <= set(package["programs"])
    assert 0 <= package["popularity"] <= 1
    assert package["aliases"] == ["dnsutils"]
    [lacks] = client.get("/api/v1/info").json()["made_without"]
    assert "without a channel's list of programs" in lacks
    assert lacks.replace("'", "&#39;") in client.get("/about").text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/search", 400, "q: is missing"),
        ("/api/v1/search?q=a&limit=0", 400, "limit: '0' is not accepted; a whole number from 1"),
        ("/api/v1/search?q=a&limit=1_0", 400, "limit:"),
        ("/api/v1/search?q=a&limit=0000000019999", 400, "limit:"),
        (f"/api/v1/search?q=a&offset=000000001{'0' * 5000}", 400, "offset:"),
        ("/api/v1/search?q=a&offset=10001", 400, "offset:"),
        ("/api/v1/search?q=a&free=yes", 400, "free: 'yes' is not accepted; true or false is"),
        ("/api/v1/search?q=a&q=b", 400, "q: is there twice"),
        ("/api/v1/search?q=a&licence=mit", 400, "there is no parameter licence; there is q,"),
        ("/api/v1/search?q=" + "a" * 501, 400, "q: has 501 characters; at most 500 are read"),
        ("/api/v1/packages/ripgrap", 404, "there is no package ripgrap; there is ripgrep"),
        ("/api/v1/packages/ripgrap/similar", 404, "there is no package ripgrap"),
        ("/api/v2/search", 404, "there is nothing here"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_as_problem_details(
    client: httpx.Client, path: str, status: int, said: str
) -> None:
    answer = client.get(path)
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert said in problem["detail"]


@pytest.mark.parametrize(
    "number", ["0", "501", "-1", "1.0", "00000000100", f"000000001{'0' * 5000}"]
)
def test_a_page_of_hits_that_there_is_not_is_refused(client: httpx.Client, number: str) -> None:
    answer = client.get("/", params={"q": "editor", "page": number})
    assert answer.status_code == 400
    assert "a whole number from 1 to 500 is" in answer.text


def test_only_reading_is_allowed(client: httpx.Client) -> None:
    answer = client.post(f"{HITS}?q=a")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert client.head(f"{HITS}?q=a").status_code == 200


@pytest.mark.parametrize("path", [f"{HITS}?q=editor", "/?q=editor", "/package/ripgrep"])
def test_an_answer_that_the_asker_has_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    assert "max-age" in first.headers["cache-control"]
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_pages_of_other_sites_may_read_the_api(client: httpx.Client) -> None:
    answer = client.get(f"{HITS}?q=editor", headers={"Origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-encoding"] == "gzip"


def test_prometheus_is_told_of_requests(client: httpx.Client) -> None:
    client.get(f"{HITS}?q=editor")
    client.get("/no/such/page")
    text = client.get("/metrics").text
    assert 'fdnix_requests_total{route="/api/v1/search",status="200"}' in text
    assert 'fdnix_requests_total{route="none",status="404"}' in text
    assert client.get("/healthz").text == "ok\n"


def test_requests_above_the_limit_are_refused_and_those_below_it_answered(minified: Path) -> None:
    service = Service(minified, workers=1, limits=Limits(under_way=2))
    paths = [f"{HITS}?q=editor{number}" for number in range(12)]
    answers = answered(service, paths)
    assert {answer.status_code for answer in answers} == {200, 503}
    assert {answer.headers.get("retry-after") for answer in answers} == {None, "1"}
    assert answered(service, paths[:1])[0].status_code == 200
    service.close()


def test_a_request_that_takes_too_long_is_ended(minified: Path) -> None:
    service = Service(minified, workers=1, limits=Limits(seconds=0.001))
    [answer] = answered(service, [f"{HITS}?q=is:free&facets=true"])
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "took more than 0.001 seconds" in answer.json()["detail"]
    service.close()


def answered(service: Service, paths: list[str]) -> list[httpx.Response]:
    """What the application answers to requests that come all at once."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://fdnix") as client:
            return await asyncio.gather(*map(client.get, paths))

    return asyncio.run(ask())


def test_a_new_file_is_served_without_a_failed_request(minified: Path, tmp_path: Path) -> None:
    served = tmp_path / "fdnix.duckdb"
    shutil.copyfile(minified, served)
    statuses: list[int] = []
    over = threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(base_url=url) as client:
            for number in range(100_000):
                if over.is_set():
                    return
                statuses.append(client.get(f"{HITS}?q=editor{number % 50}").status_code)

    def swaps(url: str) -> int:
        lines = httpx.get(f"{url}/metrics").text.splitlines()
        [line] = [line for line in lines if line.startswith("fdnix_index_swaps ")]
        return int(float(line.split()[1]))

    with serving(served) as url:
        threads = [threading.Thread(target=ask, args=[url]) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 4):
                fresh = tmp_path / "fresh"
                shutil.copyfile(minified, fresh)
                fresh.replace(served)
                until = time.monotonic() + 60
                while swaps(url) < number and time.monotonic() < until:
                    time.sleep(0.05)
                assert swaps(url) == number
            # What is no index is not taken over.
            fresh.write_bytes(b"not a database")
            fresh.replace(served)
            time.sleep(1)
            assert httpx.get(f"{url}/healthz").status_code == 200
            assert swaps(url) == 3
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert set(statuses) == {200}
    assert len(statuses) > 20


def test_what_keeps_a_server_from_starting_is_said(minified: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "fdnix", "serve", "--db", str(minified), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}: cannot listen there" in ended.stderr
    command = [sys.executable, "-m", "fdnix", "serve", "--db", str(tmp_path / "none.duckdb")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode in {2, 4}
    assert "none.duckdb" in ended.stderr
    assert "Traceback" not in ended.stderr
