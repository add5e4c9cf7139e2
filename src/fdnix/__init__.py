"""fdnix: nixpkgs as one self-contained search index.

The public API. Each name is imported when it is first used, so that `import fdnix` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fdnix.pipeline import run
    from fdnix.search import Filters, SearchIndex
    from fdnix.settings import load_settings

__version__ = "0.1.0"
__all__ = ["Filters", "SearchIndex", "__version__", "load_settings", "run"]

_MODULES = {
    "Filters": "fdnix.search",
    "SearchIndex": "fdnix.search",
    "load_settings": "fdnix.settings",
    "run": "fdnix.pipeline",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
