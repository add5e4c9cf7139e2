"""Writes docs/settings.md and docs/commands.md from the code; a test holds them against it.

Run it after changing a setting or a command: `python tools/reference.py`.
"""

from __future__ import annotations

from pathlib import Path

import click

from fdnix.cli import cli
from fdnix.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"


def settings_page() -> str:
    """The page that lists every environment variable, its default and what is accepted."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable. An option of the command line overrides it.",
        "A variable that is set to the empty string counts as unset, except `FTS_STEMMER` and",
        "`FTS_STOPWORDS`, where the empty string means none. All wrong values are reported at",
        "once.",
        "",
        "| variable | default | accepted |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default is None else f"`{_shown(field.default)}`"
        lines.append(f"| `{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def commands_page() -> str:
    """The page that shows the help of every command."""
    lines = ["# Commands", "", "What `fdnix --help` and the help of each command say.", ""]
    root = click.Context(
        cli,
        info_name="fdnix",
        max_content_width=100,
        terminal_width=100,
        help_option_names=cli.context_settings["help_option_names"],
    )
    contexts = [root] + [
        click.Context(
            command, info_name=name, parent=root, max_content_width=100, terminal_width=100
        )
        for name in cli.list_commands(root)
        for _, command, _ in [cli.resolve_command(root, [name])]
        if command
    ]
    for context in contexts:
        lines += [
            f"## {context.command_path}",
            "",
            "```text",
            context.command.get_help(context),
            "```",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


PAGES = {"settings.md": settings_page, "commands.md": commands_page}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (DOCS / page).write_text(text(), encoding="utf-8")
