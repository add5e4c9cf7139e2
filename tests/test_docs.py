from __future__ import annotations

import re
from pathlib import Path

import pytest
from reference import DOCS, PAGES

ROOT = DOCS.parent


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_pages_say_what_the_code_does(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page](), (
        "run: python tools/reference.py"
    )


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name
)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []
