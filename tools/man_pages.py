"""Write a man page for each command, from its help: what the Nix package installs.

python tools/man_pages.py share/man/man1
"""

from __future__ import annotations

import re
import sys
from copy import copy
from pathlib import Path

import click
from click_man.core import generate_man_page

import fdnix
from fdnix.cli import cli

# Click keeps the lines after \b as they are; so does roff between .nf and .fi.
_KEPT = re.compile(r"^\x08\n(.*?)(?=^\.|\Z)", re.MULTILINE | re.DOTALL)


def man_pages() -> dict[str, str]:
    """The text of each man page, by the name of its file."""
    root = click.Context(cli, info_name="fdnix")
    contexts = [root] + [
        click.Context(command, info_name=name, parent=root)
        for name in cli.list_commands(root)
        for _, command, _ in [cli.resolve_command(root, [name])]
        if command
    ]
    return {f"{context.command_path.replace(' ', '-')}.1": _page(context) for context in contexts}


def _page(context: click.Context) -> str:
    command = copy(context.command)
    command.short_help = command.get_short_help_str(200)
    command.help = (command.help or "").replace("\\", "\\e")
    shown = click.Context(command, info_name=context.info_name, parent=context.parent)
    return _KEPT.sub(r".nf\n\1.fi\n", generate_man_page(shown, version=fdnix.__version__))


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in man_pages().items():
        (directory / name).write_text(text, encoding="utf-8")
