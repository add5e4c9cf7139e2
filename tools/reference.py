"""Writes the reference pages of docs/ from the code; a test holds them against it.

Run it after changing a setting, a command or a filter: `python tools/reference.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter

from fdnix.artifacts.published import Fetched
from fdnix.artifacts.s3 import Snapshot
from fdnix.cli import cli
from fdnix.database.sizes import DatabaseInfo
from fdnix.embedding.bedrock.estimate import Estimate
from fdnix.pipeline import RunReport
from fdnix.search import SearchResults
from fdnix.search.filters import FILTERS
from fdnix.search.package import Package, ProgramOwner, SimilarPackage
from fdnix.search.verify import Verification
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


JSON = {
    "search": SearchResults,
    "show": Package,
    "which": list[ProgramOwner],
    "similar": list[SimilarPackage],
    "info": DatabaseInfo,
    "verify": Verification,
    "run": RunReport,
    "update --from": Fetched,
    "embed --dry-run": Estimate,
    "snapshots": list[Snapshot],
    "rollback": Snapshot,
}
"""What each command prints with --json, by the command."""


def json_schema(command: str) -> dict[str, Any]:
    """The JSON schema of what a command prints with --json."""
    adapter: TypeAdapter[Any] = TypeAdapter(JSON[command])
    adapter.rebuild(_types_namespace={"datetime": datetime, "Mapping": Mapping})
    schema = adapter.json_schema(mode="serialization")
    for definition in (schema, *schema.get("$defs", {}).values()):
        for shape in definition.get("properties", {}).values():
            shape.pop("title", None)  # which only repeats the name
    return schema


def json_page() -> str:
    """The page that has the schema of what every command prints with --json."""
    lines = [
        "# JSON",
        "",
        "What commands print with `--json`: one document on standard output, in a pipe one line.",
        "Each has a JSON schema (draft 2020-12). `metadata`, `embed`, `minify` and `update` print",
        "what `run` prints. Later versions may add fields: a reader ignores what it does not know.",
        "Messages go to standard error, and the exit code says how it ended.",
        "",
    ]
    for command in JSON:
        schema = json.dumps(json_schema(command), indent=1, ensure_ascii=False)
        lines += [f"## fdnix {command} --json", "", "```json", schema, "```", ""]
    return "\n".join(lines).rstrip() + "\n"


PAGES = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "filters.md": filters_page,
    "json.md": json_page,
}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (DOCS / page).write_text(text(), encoding="utf-8")
