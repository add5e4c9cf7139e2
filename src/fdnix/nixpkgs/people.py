"""Who looks after a package: `meta.maintainers` and `meta.teams`.

A team of `lib.teams` that stands among the maintainers, where nixpkgs wants its members, counts as
both: its members are maintainers, and it is one of the teams.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

import msgspec

from fdnix.nixpkgs.text import fold_line
from fdnix.nixpkgs.values import decode_any, distinct, flattened, names, shared, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Maintainer(msgspec.Struct, frozen=True, gc=False):
    """One person who looks after a package; None where nixpkgs does not say."""

    name: str | None = None
    email: str | None = None
    github: str | None = None
    github_id: int | None = None
    matrix: str | None = None


_TEAM_NAMES = ("shortName", "github")
_NOBODY = Maintainer()
_OLD_MAINTAINER = re.compile(r"([^<>]*)<\s*([^<>\s]+)\s*>?")
_decode_members = msgspec.json.Decoder(list[msgspec.Raw]).decode


@shared
def read_maintainers(value: bytes) -> tuple[Maintainer, ...]:
    """The people in lists of any depth, or one alone, and the members of teams among them."""
    return distinct(_maintainer(person) for person in _people(value))


@shared
def read_teams(value: bytes) -> tuple[str, ...]:
    """The names of the teams."""
    return names(value, _TEAM_NAMES)


@shared
def read_teams_among(value: bytes) -> tuple[str, ...]:
    """The names of the teams that stand among maintainers."""
    if b'"members"' not in value:
        return ()
    teams = filter(_is_team, flattened(decode_any(value)))
    return distinct(
        next(filter(None, (text_of(team, name) for name in _TEAM_NAMES)), None) for team in teams
    )


def _people(value: bytes) -> Iterator[bytes]:
    """Every person's own JSON, so that each is read once in all the catalogue."""
    if value.startswith(b"["):
        for member in _decode_members(value):
            yield from _people(bytes(member))
    elif b'"members"' in value and _is_team(team := decode_any(value)):
        yield from _people(msgspec.json.encode(team["members"] or []))
    else:
        yield value


def _is_team(found: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(found, dict) and "members" in found


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
