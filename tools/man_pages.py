"""Write a man page for each command, from its help: what the Nix package installs.

    python tools/man_pages.py share/man/man1

It is roff with the macros of man(7). No library: click-man is not in nixpkgs.
"""

from __future__ import annotations

import re
import sys
from inspect import cleandoc
from pathlib import Path

import click

import fdnix
from fdnix.cli import cli


def man_pages() -> dict[str, str]:
    """The text of each man page, by the name of its file."""
    root = click.Context(cli, info_name="fdnix", **cli.context_settings)
    contexts = [root] + [
        click.Context(command, info_name=name, parent=root)
        for name in cli.list_commands(root)
        for _, command, _ in [cli.resolve_command(root, [name])]
        if command
    ]
    return {f"{_name(context)}.1": _page(context) for context in contexts}


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _page(context: click.Context) -> str:
    command = context.command
    lines = [
        f'.TH "{_name(context).upper()}" 1 "" "fdnix {fdnix.__version__}" "fdnix"',
        ".SH NAME",
        rf"{_roff(_name(context))} \- {_roff(command.get_short_help_str(200).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_roff(context.command_path)}",
        _roff(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
        ".SH OPTIONS",
    ]
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    for flags, text in [record for record in records if record and record[1]]:
        lines += [".TP", rf"\fB{_roff(flags)}\fP", _roff(text)]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for name, listed in sorted(command.commands.items()):
            lines += [".TP", rf"\fBfdnix\-{_roff(name)}\fP(1)"]
            lines.append(_roff(listed.get_short_help_str(200)))
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a help; those that begin with Click's backspace keep their lines."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", cleandoc(text)):
        if paragraph.startswith("\b\n"):
            kept = paragraph.removeprefix("\b\n").rstrip().split("\n")
            lines += [".PP", ".nf", *map(_roff, kept), ".fi"]
        else:
            lines += [".PP", _roff(" ".join(paragraph.split()))]
    return lines


def _roff(text: str) -> str:
    """`text` as roff prints it as it stands: groff_char(7), groff(7)."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in man_pages().items():
        (directory / name).write_text(text, encoding="utf-8")
