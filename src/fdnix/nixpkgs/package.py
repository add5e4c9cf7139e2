"""One package as fdnix stores it, from one entry of the catalogue.

What rejects an entry, and what does not:

- The entry, its `meta`, and every attribute that fdnix knows must have a form that some nixpkgs
  release wrote. One that has not (a number for a description, a list for a name) rejects the whole
  entry, with a reason that names the attribute and what was found: half a package would be a wrong
  answer that nobody sees.
- A value of a right form that says nothing (null, blank text, an address that is none) is absent.
- Attributes fdnix does not know are kept as they are in `meta_extra` and never reject anything.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

import msgspec

from fdnix.nixpkgs import attribute
from fdnix.nixpkgs.license import License, Licensing, read_license
from fdnix.nixpkgs.platform import resolve_platforms
from fdnix.nixpkgs.text import fold_line, fold_paragraphs, parse_drv_name, valid_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "License",
    "Maintainer",
    "MalformedError",
    "Package",
    "RawMeta",
    "RawPackage",
    "normalise",
]

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

RawMeta: TypeAlias = dict[str, msgspec.Raw]
"""`meta` by attribute, each value still JSON: what one release lacks, the next one adds, and equal
JSON (the same licence, platforms or maintainer in thousands of entries) is read only once."""


class RawPackage(msgspec.Struct, frozen=True, gc=False):
    """One entry as `nix-env -qa --json --meta` prints it."""

    name: str | None = None
    pname: str | None = None
    version: str | None = None
    system: str | None = None
    outputs: dict[str, Any] | list[str] | None = None
    meta: RawMeta | None = None


class Maintainer(msgspec.Struct, frozen=True, gc=False):
    """One person who looks after a package; None where nixpkgs does not say."""

    name: str | None = None
    email: str | None = None
    github: str | None = None
    github_id: int | None = None
    matrix: str | None = None


class Package(msgspec.Struct, frozen=True, gc=False):
    """One row of `packages`: all text clean, all lists without blanks and repetitions.

    `platforms` is None where nixpkgs sets none, which means every system, and empty where it sets
    the empty list, which means no system. `meta_extra` is a JSON object with sorted keys, or None.
    """

    package_id: str
    attribute_set: str | None
    name: str
    pname: str
    version: str | None
    description: str | None
    long_description: str | None
    homepages: tuple[str, ...]
    changelog: str | None
    download_page: str | None
    main_program: str | None
    license: str | None
    licenses: tuple[License, ...]
    maintainers: tuple[Maintainer, ...]
    teams: tuple[str, ...]
    platforms: tuple[str, ...] | None
    bad_platforms: tuple[str, ...]
    available: bool | None
    broken: bool | None
    insecure: bool | None
    unfree: bool | None
    unsupported: bool | None
    known_vulnerabilities: tuple[str, ...]
    outputs: tuple[str, ...]
    outputs_to_install: tuple[str, ...]
    source_provenance: tuple[str, ...]
    cpe: str | None
    position: str | None
    system: str | None
    meta_extra: str | None

    @property
    def attribute(self) -> str:
        """The attribute's name in its set, without quotes."""
        return attribute.split(self.package_id)[1]

    @property
    def family(self) -> str | None:
        """The attribute set without its version."""
        return None if self.attribute_set is None else attribute.family(self.attribute_set)

    @property
    def base(self) -> str:
        """The attribute's name without its version and without `-unwrapped`."""
        return attribute.base(self.attribute, self.version)


class MalformedError(ValueError):
    """An entry has a form that no nixpkgs release writes; the message names the attribute."""


_LONGEST_ID: Final = 1024

# In `meta`, and in a column already or worth none: `name` repeats the entry's, unless `meta` was
# inherited from another package, which makes it wrong; `nonTeamMaintainers` is the part of
# `maintainers` that no team brings in; `maintainersPosition` and `teamsPosition` are lines of the
# file that `position` names.
_REDUNDANT = frozenset({"maintainersPosition", "name", "nonTeamMaintainers", "teamsPosition"})
_COLUMNS = frozenset(
    {
        "available",
        "badPlatforms",
        "broken",
        "changelog",
        "description",
        "downloadPage",
        "homepage",
        "identifiers",
        "insecure",
        "knownVulnerabilities",
        "license",
        "longDescription",
        "mainProgram",
        "maintainers",
        "outputsToInstall",
        "platforms",
        "position",
        "sourceProvenance",
        "teams",
        "unfree",
        "unsupported",
    }
)
_KNOWN = _REDUNDANT | _COLUMNS
_NO_STRINGS: tuple[str, ...] = ()
_NO_IDENTIFIERS: tuple[str | None, tuple[str, ...]] = (None, ())


def normalise(package_id: str, raw: RawPackage) -> Package:
    """Return the row of one entry.

    Raises:
        MalformedError: the entry has neither `name` nor `pname`, its attribute path cannot be
            shown in one line, or an attribute has a form that nixpkgs does not write.
    """
    meta = raw.meta or {}
    attribute_set, _ = attribute.split(package_id)
    pname, version, name = _names(raw)
    changelogs = _read(meta, "changelog", _urls, _NO_STRINGS)
    download_pages = _read(meta, "downloadPage", _urls, _NO_STRINGS)
    licensing = _read(meta, "license", _licensing, _NO_LICENSE)
    cpe, purls = _read(meta, "identifiers", _identifiers, _NO_IDENTIFIERS)
    return Package(
        package_id=checked_id(package_id),
        attribute_set=attribute_set and sys.intern(attribute_set),
        name=name,
        pname=pname,
        version=version,
        description=_read(meta, "description", _line, None),
        long_description=_read(meta, "longDescription", _paragraphs, None),
        homepages=_read(meta, "homepage", _urls, _NO_STRINGS),
        changelog=changelogs[0] if changelogs else None,
        download_page=download_pages[0] if download_pages else None,
        main_program=_read(meta, "mainProgram", _line, None),
        license=licensing.expression,
        licenses=licensing.licenses,
        maintainers=_read(meta, "maintainers", _maintainers, ()),
        teams=_read(meta, "teams", _teams, ()),
        platforms=_read(meta, "platforms", _platforms, absent=None),
        bad_platforms=_read(meta, "badPlatforms", _platforms, _NO_STRINGS),
        available=_read(meta, "available", _flag, None),
        broken=_read(meta, "broken", _flag, None),
        insecure=_read(meta, "insecure", _flag, None),
        unfree=_read(meta, "unfree", _flag, None),
        unsupported=_read(meta, "unsupported", _flag, None),
        known_vulnerabilities=_read(meta, "knownVulnerabilities", _lines, _NO_STRINGS),
        outputs=_output_names(tuple(raw.outputs or ())),
        outputs_to_install=_read(meta, "outputsToInstall", _lines, _NO_STRINGS),
        source_provenance=_read(meta, "sourceProvenance", _provenance, ()),
        cpe=cpe,
        position=_read(meta, "position", _position, None),
        system=None if raw.system is None else _word(raw.system),
        meta_extra=_extra(meta, purls, changelogs[1:], download_pages[1:]),
    )


def checked_id(package_id: str) -> str:
    """Return the attribute path as it is.

    Raises:
        MalformedError: it is empty, too long, or holds what cannot be shown in one line.
    """
    if not package_id:
        raise MalformedError("the attribute path is empty")
    if len(package_id) > _LONGEST_ID:
        raise MalformedError(
            f"the attribute path has {len(package_id):,} characters, at most {_LONGEST_ID:,} fit"
        )
    if not package_id.isprintable():
        raise MalformedError(f"the attribute path {package_id!a} holds control characters")
    return package_id


def _names(raw: RawPackage) -> tuple[str, str | None, str]:
    name = fold_line(raw.name or "")
    pname = fold_line(raw.pname or "")
    version = fold_line(raw.version or "")
    if name is None and pname is None:
        raise MalformedError("name and pname: both are missing or blank")
    if name is None:
        name = f"{pname}-{version}" if version else str(pname)
    if pname is None or version is None:
        parsed_pname, parsed_version = parse_drv_name(name)
        # Nix prints no name that starts with its version, but a name such as `-1` would be one.
        pname = pname or parsed_pname or name
        version = version or parsed_version or None
    return pname, version, name


def _read(meta: RawMeta, attribute: str, reader: Callable[[bytes], T], absent: U) -> T | U:
    raw = meta.get(attribute)
    if raw is None:
        return absent
    value = bytes(raw)
    if value == b"null":
        return absent
    try:
        return reader(value)
    except RecursionError:
        raise MalformedError(f"meta.{attribute}: nested too deeply") from None
    except msgspec.ValidationError as error:
        raise MalformedError(f"meta.{attribute}: {_first_lower(str(error))}") from None
    except (ValueError, msgspec.DecodeError) as error:
        raise MalformedError(f"meta.{attribute}: {error}") from None


def _first_lower(message: str) -> str:
    return message[:1].lower() + message[1:]


_decode_string = msgspec.json.Decoder(str).decode
_decode_strings = msgspec.json.Decoder(str | list[str]).decode
_decode_any = msgspec.json.Decoder().decode
# Above the number of different values of any attribute in the catalogue that comes in few forms.
_REMEMBERED = 1 << 15


@lru_cache(maxsize=_REMEMBERED)
def _first_equal(value: object) -> object:
    return value


def _shared(reader: Callable[[V], T]) -> Callable[[V], T]:
    """Return the reader with a memory, so that equal input and equal results are one object."""

    @lru_cache(maxsize=_REMEMBERED)
    def read(value: V) -> T:
        return cast("T", _first_equal(reader(value)))

    return cast("Callable[[V], T]", read)


def _line(value: bytes) -> str | None:
    return fold_line(_decode_string(value))


def _paragraphs(value: bytes) -> str | None:
    return fold_paragraphs(_decode_string(value))


@_shared
def _lines(value: bytes) -> tuple[str, ...]:
    return _distinct(map(fold_line, _list_of_strings(value)))


def _urls(value: bytes) -> tuple[str, ...]:
    return _distinct(map(valid_url, _list_of_strings(value)))


def _list_of_strings(value: bytes) -> list[str]:
    found = _decode_strings(value)
    return [found] if isinstance(found, str) else found


@_shared
def _flag(value: bytes) -> bool | None:
    found = _decode_any(value)
    if isinstance(found, bool):
        return found
    # "Backwards compatibility with before we had support for boolean meta fields"
    # (`DrvInfo::queryMetaBool` in Nix's src/libexpr/get-drvs.cc).
    if found in ("true", "false"):
        return bool(found == "true")
    raise ValueError(f"expected true or false, found {found!r:.60}")


@_shared
def _licensing(value: bytes) -> Licensing:
    licensing = read_license(_decode_any(value))
    return Licensing(licensing.expression, _licenses(licensing.licenses))


@_shared
def _licenses(licenses: tuple[License, ...]) -> tuple[License, ...]:
    return licenses


_NO_LICENSE = Licensing()


@_shared
def _platforms(value: bytes) -> tuple[str, ...]:
    return _distinct(map(_word, resolve_platforms(_decode_any(value))))


_decode_members = msgspec.json.Decoder(list[msgspec.Raw]).decode
_OLD_MAINTAINER = re.compile(r"([^<>]*)<\s*([^<>\s]+)\s*>?")


@_shared
def _maintainers(value: bytes) -> tuple[Maintainer, ...]:
    members = _decode_members(value) if value.startswith(b"[") else [value]
    return _distinct(_maintainer(bytes(member)) for member in members)


@_shared
def _maintainer(value: bytes) -> Maintainer | None:
    found = _decode_any(value)
    if isinstance(found, str):
        return _maintainer_from_text(found)
    if not isinstance(found, dict):
        raise ValueError(f"expected objects or strings, found {found!r:.60}")  # noqa: TRY004
    maintainer = Maintainer(
        name=_member(found, "name"),
        email=_member(found, "email"),
        github=_member(found, "github"),
        github_id=_github_id(found.get("githubId")),
        matrix=_member(found, "matrix"),
    )
    return None if maintainer == _NOBODY else maintainer


_NOBODY = Maintainer()


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


def _member(value: Mapping[str, object], attribute: str) -> str | None:
    found = value.get(attribute)
    if found is None:
        return None
    if isinstance(found, str):
        return fold_line(found)
    raise ValueError(f"expected a string as {attribute}, found {found!r:.60}")


@_shared
def _teams(value: bytes) -> tuple[str, ...]:
    return _named(value, ("shortName", "github"))


@_shared
def _provenance(value: bytes) -> tuple[str, ...]:
    return _named(value, ("shortName",))


def _named(value: bytes, attributes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in a list, or a single one, of strings and of objects that have a name."""
    found = _decode_any(value)
    members = found if isinstance(found, list) else [found]
    names = []
    for member in members:
        if isinstance(member, str):
            names.append(fold_line(member))
        elif isinstance(member, dict) and (present := [a for a in attributes if a in member]):
            names.append(_member(member, present[0]))
        else:
            raise ValueError(
                f"expected names or objects with {attributes[0]}, found {member!r:.60}"
            )
    return _distinct(names)


_CPE_PARTS = (
    "part",
    "vendor",
    "product",
    "version",
    "update",
    "edition",
    "language",
    "sw_edition",
    "target_sw",
    "target_hw",
    "other",
)


def _identifiers(value: bytes) -> tuple[str | None, tuple[str, ...]]:
    """Return (CPE, package URLs).

    The CPE is the one nixpkgs is sure of (`cpe`, or `cpeParts` with vendor, product and version,
    parts it does not give being any), else the first of those it thinks possible: that differs
    from the others only in how the version is split into version and update.
    """
    found = _decode_identifiers(value)
    cpe = found.cpe
    parts = found.cpe_parts
    if cpe is None and all(parts.get(part) for part in ("vendor", "product", "version")):
        cpe = ":".join(["cpe:2.3", *(parts.get(part) or "*" for part in _CPE_PARTS)])
    if cpe is None:
        cpe = next((possible.cpe for possible in found.possible_cpes if possible.cpe), None)
    purls = found.purls or ([found.purl] if found.purl else [])
    return _word(cpe or ""), _distinct(map(fold_line, purls))


class _PossibleCpe(msgspec.Struct, frozen=True, gc=False):
    cpe: str | None = None


class _Identifiers(msgspec.Struct, frozen=True, gc=False):
    cpe: str | None = None
    cpe_parts: dict[str, str | None] = msgspec.field(name="cpeParts", default_factory=dict)
    possible_cpes: list[_PossibleCpe] = msgspec.field(name="possibleCPEs", default_factory=list)
    purl: str | None = None
    purls: list[str] = []


_decode_identifiers = msgspec.json.Decoder(_Identifiers).decode

# From the first directory at the root of nixpkgs that evaluated files lie in.
_OUTSIDE_NIXPKGS = re.compile(r"/.*?/(?=(?:pkgs|nixos|maintainers|lib|doc)/)")


def _position(value: bytes) -> str | None:
    """Return file:line, relative to the root of nixpkgs also where Nix printed a full path."""
    position = _decode_string(value)
    return fold_line(
        _OUTSIDE_NIXPKGS.sub("", position, count=1) if position[:1] == "/" else position
    )


@_shared
def _output_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return _distinct(map(fold_line, names))


@_shared
def _word(text: str) -> str | None:
    return fold_line(text)


def _distinct(values: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _extra(
    meta: RawMeta, purls: tuple[str, ...], changelogs: tuple[str, ...], pages: tuple[str, ...]
) -> str | None:
    """Return what of `meta` no column holds; columns with one value leave the others here."""
    members = {
        attribute: _canonical(bytes(raw))
        for attribute, raw in meta.items()
        if attribute not in _KNOWN
    }
    members |= {
        attribute: msgspec.json.encode(values).decode()
        for attribute, values in (
            ("purls", purls),
            ("changelog", changelogs),
            ("downloadPage", pages),
        )
        if values
    }
    text = ",".join(
        f"{_quoted(attribute)}:{member}"
        for attribute, member in sorted(members.items())
        # An empty attribute set, as `problems` mostly is, says nothing. An empty list does: without
        # `hydraPlatforms` Hydra builds a package for all, with `[]` for none.
        if member not in {"null", "{}"}
    )
    return sys.intern(f"{{{text}}}") if text else None


@_shared
def _canonical(value: bytes) -> str:
    return msgspec.json.encode(_decode_any(value), order="sorted").decode()


@_shared
def _quoted(attribute: str) -> str:
    return msgspec.json.encode(attribute).decode()
