"""Options that commands share, and how they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable


def setting(name: str, flag: str, **attributes: Any) -> Callable[[Any], Any]:
    """An option that overrides the setting `name`, whose environment variable its help names."""
    text = attributes.pop("help")
    return click.option(flag, name, help=f"{text} [{name.upper()}]", default=None, **attributes)


JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


def options(*given: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decorator that adds the options `given` to a command, in their order."""

    def decorate(function: Any) -> Any:
        for option in reversed(given):
            function = option(function)
        return function

    return decorate
