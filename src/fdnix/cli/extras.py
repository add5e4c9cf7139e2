"""What a command needs of an extra that may not be installed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fdnix.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator


def not_installed(module: str, extra: str) -> SettingsError:
    """That a module is missing, and the extra that brings it."""
    return SettingsError(
        f"this needs {module}, which is not installed: pip install 'fdnix[{extra}]'"
    )


@contextmanager
def of_extra(extra: str) -> Iterator[None]:
    """Import in the block what is of an extra.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("fdnix"):
            raise
        raise not_installed(error.name, extra) from error
