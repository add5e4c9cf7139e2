from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from reference import DOCS, PAGES

if TYPE_CHECKING:
    from pathlib import Path

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
