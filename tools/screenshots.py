"""Pictures of the pages of `fdnix serve`, light, dark and on a phone, taken by Chromium.

Needs `chromium` and the extra `test`: `python tools/screenshots.py out/fdnix.duckdb out/pictures`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = {
    "start": "/",
    "results": "/?q=terminal+file+manager+with+previews",
    "package": "/package/ripgrep",
    "about": "/about",
}
DESKTOP, PHONE = (1280, 850), (390, 844)
LOOKS = {
    "light": ("light", DESKTOP),
    "dark": ("dark", DESKTOP),
    "phone": ("light", PHONE),
}


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
def main(*, database: Path, output: Path) -> None:
    """Serve DATABASE and write pictures of its pages to the directory OUTPUT."""
    output.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fdnix", "serve", "--db", str(database), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            url = (server.stdout.readline() if server.stdout else "").split()[-1].rstrip("/")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"),
                    # Chromium refuses its sandbox to root.
                    args=["--no-sandbox"] if os.geteuid() == 0 else [],
                )
                _take(browser, url, output)
        finally:
            server.terminate()


def _take(browser: Browser, url: str, output: Path) -> None:
    for look, (scheme, (width, height)) in LOOKS.items():
        context = browser.new_context(
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": width, "height": height},
            device_scale_factor=2,
        )
        page = context.new_page()
        for name, path in PAGES.items():
            page.goto(url + path)
            file = output / f"{name}-{look}.png"
            page.screenshot(path=file)
            click.echo(file)


if __name__ == "__main__":
    main()
