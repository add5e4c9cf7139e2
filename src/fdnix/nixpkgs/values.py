"""Values of nixpkgs' attributes, read from their JSON.

Each reader raises `ValueError` for a form that nixpkgs does not write.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from fdnix.nixpkgs.text import fold_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

T = TypeVar("T")
V = TypeVar("V")

# Above the number of different values of any attribute in the catalogue that comes in few forms.
_REMEMBERED = 1 << 15

decode_any = msgspec.json.Decoder().decode
decode_string = msgspec.json.Decoder(str).decode
_decode_strings = msgspec.json.Decoder(str | list[str]).decode


@lru_cache(maxsize=_REMEMBERED)
def _first_equal(value: object) -> object:
    return value


def shared(reader: Callable[[V], T]) -> Callable[[V], T]:
    """The reader with a memory, so that equal input and equal results are one object."""

    @lru_cache(maxsize=_REMEMBERED)
    def read(value: V) -> T:
        return cast("T", _first_equal(reader(value)))

    return cast("Callable[[V], T]", read)


def flattened(value: object) -> Iterator[object]:
    """The value, or the members of a list and of the lists in it."""
    if isinstance(value, list):
        for member in value:
            yield from flattened(member)
    else:
        yield value


def distinct(values: Iterable[T | None]) -> tuple[T, ...]:
    """The values that are not None, each once."""
    return tuple(dict.fromkeys(value for value in values if value is not None))


def strings(value: bytes) -> list[str]:
    """The strings in a list and in the lists in it, or one alone."""
    try:
        found = _decode_strings(value)
    except msgspec.ValidationError:
        nested = list(flattened(decode_any(value)))
        if not all(isinstance(member, str) for member in nested):
            raise
        return cast("list[str]", nested)
    return [found] if isinstance(found, str) else found


@shared
def flag(value: bytes) -> bool | None:
    """True or false."""
    return as_flag(decode_any(value))


def as_flag(found: object) -> bool | None:
    """True or false, as such or as text."""
    if found is None or isinstance(found, bool):
        return found
    # "Backwards compatibility with before we had support for boolean meta fields"
    # (`DrvInfo::queryMetaBool` in Nix's src/libexpr/get-drvs.cc).
    if found in ("true", "false"):
        return found == "true"
    raise ValueError(f"expected true or false, found {found!r:.60}")


def text_of(value: Mapping[str, object], attribute: str) -> str | None:
    """The clean text of one attribute of an object."""
    found = value.get(attribute)
    if found is None:
        return None
    if isinstance(found, str):
        return fold_line(found)
    raise ValueError(f"expected a string as {attribute}, found {found!r:.60}")


def names(value: bytes, attributes: tuple[str, ...]) -> tuple[str, ...]:
    """The names of strings and of objects that have one, in lists of any depth or alone."""
    named = []
    for item in flattened(decode_any(value)):
        if isinstance(item, str):
            named.append(fold_line(item))
        elif isinstance(item, dict) and (present := [a for a in attributes if a in item]):
            named.append(text_of(item, present[0]))
        else:
            raise ValueError(f"expected names or objects with {attributes[0]}, found {item!r:.60}")
    return distinct(named)
