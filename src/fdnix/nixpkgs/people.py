"""Who looks after a package: `meta.maintainers` and `meta.teams`."""

from __future__ import annotations

import re

import msgspec

from fdnix.nixpkgs.text import fold_line
from fdnix.nixpkgs.values import decode_any, distinct, names, shared, text_of


class Maintainer(msgspec.Struct, frozen=True, gc=False):
    """One person who looks after a package; None where nixpkgs does not say."""

    name: str | None = None
    email: str | None = None
    github: str | None = None
    github_id: int | None = None
    matrix: str | None = None


_NOBODY = Maintainer()
_OLD_MAINTAINER = re.compile(r"([^<>]*)<\s*([^<>\s]+)\s*>?")
_decode_members = msgspec.json.Decoder(list[msgspec.Raw]).decode


@shared
def read_maintainers(value: bytes) -> tuple[Maintainer, ...]:
    """The people in a list, or one alone."""
    people = _decode_members(value) if value.startswith(b"[") else [value]
    return distinct(_maintainer(bytes(person)) for person in people)


@shared
def read_teams(value: bytes) -> tuple[str, ...]:
    """The names of the teams."""
    return names(value, ("shortName", "github"))


@shared
def _maintainer(value: bytes) -> Maintainer | None:
    found = decode_any(value)
    if isinstance(found, str):
        return _maintainer_from_text(found)
    if not isinstance(found, dict):
        raise ValueError(f"expected objects or strings, found {found!r:.60}")  # noqa: TRY004
    maintainer = Maintainer(
        name=text_of(found, "name"),
        email=text_of(found, "email"),
        github=text_of(found, "github"),
        github_id=_github_id(found.get("githubId")),
        matrix=text_of(found, "matrix"),
    )
    return None if maintainer == _NOBODY else maintainer


def _maintainer_from_text(text: str) -> Maintainer | None:
    """Read `Name <address>`, the form of lib.maintainers up to nixpkgs 18.03, or a bare name."""
    line = fold_line(text)
    if line is None:
        return None
    match = _OLD_MAINTAINER.fullmatch(line)
    if match:
        return Maintainer(name=match[1].strip() or None, email=match[2])
    return Maintainer(email=line) if "@" in line[1:] and " " not in line else Maintainer(name=line)


def _github_id(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    # BIGINT, and GitHub counts from 1.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63:
        return value
    raise ValueError(f"expected a number as githubId, found {value!r:.60}")
