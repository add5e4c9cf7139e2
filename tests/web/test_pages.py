"""The pages in a real Chromium: with and without JavaScript, light and dark, large and small."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import sync_playwright

from fdnix import pipeline
from support.catalogues import entry, settings_in, write_catalogue
from support.web_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
AXE = "axe-core@4.10.3"
ADDRESSES = (
    "/",
    "/?q=terminal+file+manager",
    "/?q=license:qqq",
    "/package/ripgrep",
    "/about",
    "/no",
)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


class Seen:
    """What a page did besides what it shows."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.hosts: set[str] = set()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def page(browser: Browser, site: str, seen: Seen, request: pytest.FixtureRequest) -> Iterator[Page]:
    options: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
    context = browser.new_context(base_url=site, **(options | getattr(request, "param", {})))
    opened = context.new_page()
    opened.on("pageerror", lambda error: seen.errors.append(str(error)))
    opened.on(
        "console",
        lambda said: seen.errors.append(said.text) if said.type in {"error", "warning"} else None,
    )
    opened.on("request", lambda asked: seen.hosts.add(urlsplit(asked.url).netloc))
    yield opened
    context.close()


def hits(page: Page) -> list[str]:
    return page.locator(".hit h2 a").all_inner_texts()


@needs_chromium
def test_results_come_as_one_types_and_stay_in_the_address(
    page: Page, site: str, seen: Seen
) -> None:
    page.goto("/")
    page.keyboard.type("ripgre")
    page.wait_for_url(f"{site}/?q=ripgre")
    assert hits(page)[0] == "ripgrep"
    assert page.title() == "ripgre · nixpkgs search"
    place = page.locator("#q").bounding_box()
    page.keyboard.type("p")
    page.wait_for_url("**/?q=ripgrep")
    assert page.locator("#q").bounding_box() == place
    page.reload()
    assert hits(page)[0] == "ripgrep"
    assert (seen.errors, seen.hosts) == ([], {urlsplit(site).netloc})


@needs_chromium
def test_the_keyboard_is_enough(page: Page, site: str) -> None:
    page.goto("/?q=editor")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    second = hits(page)[1]
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/package/{second}")
    assert page.locator("h1").inner_text().startswith(second)


@needs_chromium
def test_a_facet_narrows_the_search_and_is_taken_back(page: Page) -> None:
    page.goto("/?q=editor")
    before = page.locator(".count").inner_text()
    page.locator(".groups a", has_text=re.compile("^MIT")).first.click()
    page.wait_for_url("**license*")
    assert page.locator("#q").input_value() == "editor license:MIT"
    counted = page.locator(".groups .chosen b").inner_text()
    assert page.locator(".count").inner_text().split()[0] == counted.split()[0]
    page.locator(".groups .chosen").click()
    page.wait_for_url("**/?q=editor")
    assert page.locator(".count").inner_text() == before


@needs_chromium
@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_all_of_it_works_without_javascript(page: Page, site: str) -> None:
    page.goto("/")
    page.locator("#q").fill("terminal file manager")
    page.locator("form button").click()
    first = hits(page)[0]
    page.locator(".get summary").first.click()
    assert page.locator(".get pre").first.inner_text().startswith("nix shell nixpkgs#")
    page.locator(".pages a[rel=next]").click()
    assert first not in hits(page)
    page.go_back()
    page.locator(".hit h2 a").first.click()
    assert page.url == f"{site}/package/{first}"
    assert page.locator("aside dt").all_inner_texts()[0] == "Version"


@needs_chromium
@pytest.mark.parametrize("page", [{"viewport": {"width": 360, "height": 640}}], indirect=True)
@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_wider_than_a_phone(page: Page, address: str) -> None:
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", AXE],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("needs the npm registry")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@needs_chromium
@pytest.mark.parametrize(
    "page",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 844}},
    ],
    ids=["light", "dark", "phone"],
    indirect=True,
)
def test_axe_finds_no_violation(page: Page, axe: str, seen: Seen, site: str) -> None:
    for address in ADDRESSES:
        page.goto(address)
        for summary in page.locator("summary:visible").all()[:2]:
            summary.click()
        page.evaluate(axe)
        found = page.evaluate(
            "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice']})"
        )
        told = [(row["id"], row["nodes"][0]["html"]) for row in found["violations"]]
        assert told == [], address
    assert seen.hosts == {urlsplit(site).netloc}
    assert [error for error in seen.errors if "404" not in error] == []


@pytest.mark.parametrize("path", ["/?q=editor", "/results?q=terminal+file+manager"])
def test_a_page_and_what_it_loads_are_small(site: str, path: str) -> None:
    page = httpx.get(f"{site}{path}")
    assert len(page.content) <= 60_000
    assets = re.findall(r"/static/[^\"]+", httpx.get(f"{site}/").text)
    loaded = [httpx.get(f"{site}{asset}") for asset in set(assets)]
    assert sum(len(gzip.compress(asset.content)) for asset in loaded) <= 60_000
    assert all("immutable" in asset.headers["cache-control"] for asset in loaded)


def test_no_page_may_load_or_run_what_is_not_ours(site: str) -> None:
    answer = httpx.get(f"{site}/?q=editor")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?! defer src=)|style=|\son[a-z]+=|//(?!\w+\.)", answer.text)


def test_what_nixpkgs_says_is_shown_as_text(tmp_path: Path) -> None:
    evil = "</p><script>alert(1)</script> **bold** {{ 7 * 7 }}"
    meta = {
        "description": evil,
        "longDescription": evil,
        "homepage": "javascript:alert(1)",
        "mainProgram": '"><img src=x onerror=alert(1)>',
    }
    packages = {"evil": entry("evil", **meta), "plain": entry("plain")}
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", packages))
    pipeline.run(settings)
    with serving(settings.output_minified_path) as url:
        for path in (
            "/?q=evil",
            "/package/evil",
            '/?q="><script>alert(1)</script>',
            "/package/<b>",
        ):
            text = httpx.get(f"{url}{path}").text
            assert not re.search(r"<script>|<img src=x|<b>|href=.javascript", text), path
        shown = httpx.get(f"{url}/package/evil").text
    assert "{{ 7 * 7 }}" in shown


@pytest.mark.parametrize(
    ("query", "kind", "said"),
    [
        ("ripgrep", "wholly", "exact name"),
        ("ripgrpe", "partly", "name is spelt like the query"),
        ("terminal manager qqqqqq", "partly", r"some of the words \(\d+%\)"),
    ],
)
def test_only_what_is_wholly_as_asked_is_said_to_be(
    site: str, query: str, kind: str, said: str
) -> None:
    page = httpx.get(f"{site}/", params={"q": query}).text
    assert re.search(rf'<li class="why {kind}">{said}</li>', page)


def test_a_packages_page_has_its_programs_and_other_names(site: str) -> None:
    page = httpx.get(f"{site}/package/bind").text
    assert "<li><code>nslookup</code></li>" in page
    assert re.search(r"Also called</dt><dd>\s*<ul class=\"plain\">\s*<li><code>dnsutils<", page)
    assert re.search(r"Popularity</dt><dd><span title=[^>]*>\d+%</span>", page)
    many = httpx.get(f"{site}/package/coreutils").text
    assert "<summary>13</summary>" in many
    assert "Also called" not in many


def test_a_packages_page_says_nothing_twice_and_addresses_as_people_read_them(site: str) -> None:
    page = httpx.get(f"{site}/package/ripgrep").text
    assert "Main program</dt>" in page
    assert "Programs</dt>" not in page
    assert re.search(r'href="https://(github.com/[^"]*ripgrep)"[^>]*>github.com/<wbr>', page)
    assert re.search(r"<td>\d{4}-\d\d-\d\d \d\d:\d\d UTC</td>", httpx.get(f"{site}/about").text)


def test_browsers_find_the_search(site: str) -> None:
    description = httpx.get(f"{site}/opensearch.xml")
    assert f'template="{site}/?q={{searchTerms}}"' in description.text
    typed, names, *_ = httpx.get(f"{site}/suggestions?q=ripg").json()
    assert (typed, names[0]) == ("ripg", "ripgrep")
