"""Writes docs/settings.md, commands.md and filters.md from the code; a test holds them against it.

Run it after changing a setting, a command or a filter: `python tools/reference.py`.
"""

from __future__ import annotations

from pathlib import Path

import click

from fdnix.cli import cli
from fdnix.search.filters import FILTERS
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


def filters_page() -> str:
    """The page that lists every filter of a search, by all its names."""
    lines = [
        "# Filters",
        "",
        "What a search may be narrowed to: in the query, by a parameter of `fdnix_search`, by an",
        "option of `fdnix search`, or by a field of `fdnix.Filters`. Several join in. In a query,",
        "a `-` before one asks for the opposite; values with blanks stand in quotation marks.",
        "",
        "| in a query | parameter | option | field | what it asks |",
        "|---|---|---|---|---|",
    ]
    for row in FILTERS:
        query = f"is:{row.key}" if row.is_flag else f"{row.key}:VALUE"
        names = " | ".join(f"`{name}`" for name in (query, row.parameter, row.option, row.field))
        opposite = f" Its opposite is `is:{row.opposite}`." if row.opposite else ""
        lines.append(f"| {names} | {row.help}{opposite} |")
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "filters.md": filters_page}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (DOCS / page).write_text(text(), encoding="utf-8")
