"""One package as fdnix stores it, from one entry of the catalogue.

What rejects an entry, and what does not:

- The entry, its `meta`, and every attribute that fdnix knows must have a form that some nixpkgs
  release wrote. One that has not (a number for a description, a list for a name) rejects the whole
  entry, with a reason that names the attribute and what was found: half a package would be a wrong
  answer that nobody sees.
- A value of a right form that says nothing (null, blank text, an address that is none) is absent.
- Attributes fdnix does not know are kept as they are in `meta_extra` and never reject anything.
  One that cannot be read (a number beyond all range, text that is not UTF-8) is left out by name.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

import msgspec

from fdnix.nixpkgs import attribute
from fdnix.nixpkgs.kinds import kinds
from fdnix.nixpkgs.license import License, Licensing, read_license
from fdnix.nixpkgs.people import Maintainer, read_maintainers, read_teams, read_teams_among
from fdnix.nixpkgs.platform import resolve_platforms
from fdnix.nixpkgs.text import fold_line, fold_paragraphs, parse_drv_name, valid_urls
from fdnix.nixpkgs.values import decode_any, decode_string, distinct, flag, names, shared, strings

if TYPE_CHECKING:
    from collections.abc import Callable

RawMeta: TypeAlias = dict[str, msgspec.Raw]
"""`meta` by attribute, each value still JSON: what one release lacks, the next one adds, and equal
JSON (the same licence, platforms or maintainer in thousands of entries) is read only once."""


class RawPackage(msgspec.Struct, frozen=True, gc=False):
    """One entry as `nix-env -qa --json --meta` prints it."""

    name: str | None = None
    pname: str | None = None
    version: str | None = None
    system: str | None = None
    outputs: dict[str, msgspec.Raw] | list[str] | None = None
    meta: RawMeta | None = None


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
    def attribute_name(self) -> str:
        """The attribute's name in its set, without quotes."""
        return attribute.split(self.package_id)[1]

    @property
    def set_family(self) -> str | None:
        """The attribute set without its version."""
        return None if self.attribute_set is None else attribute.family(self.attribute_set)

    @property
    def base_name(self) -> str:
        """The attribute's name without its version and without `-unwrapped`."""
        return attribute.base(self.attribute_name, self.version)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it is in the words of those who look for one; of well-known packages alone."""
        return kinds(self.package_id, self.version)


class MalformedError(ValueError):
    """An entry has a form that no nixpkgs release writes; the message names the attribute."""


_LONGEST_ID: Final = 1024
# What stands for bytes that are no text, by the time that a key is read.
_NO_TEXT: Final = "\ufffd"


def _ignore(_said: str) -> None:
    pass


def normalise(
    package_id: str,
    raw: RawPackage,
    root: str | None = None,
    leave_out: Callable[[str], None] = _ignore,
) -> Package:
    """Return the row of one entry; positions in nixpkgs are relative to its `root`.

    `leave_out` is told which unknown attributes cannot be read, and why.

    Raises:
        MalformedError: the entry has neither `name` nor `pname`, its attribute path cannot be
            shown in one line, or an attribute has a form that nixpkgs does not write.
    """
    meta = raw.meta or {}
    attribute_set, _ = attribute.split(package_id)
    pname, version, name = _names(raw)
    columns: dict[str, Any] = {field.column: _read(meta, field) for field in _FIELDS}
    if others := cast("tuple[str, ...]", _read(meta, _TEAMS_AMONG_MAINTAINERS)):
        columns["teams"] = distinct((*columns["teams"], *others))
    columns["position"] = below(root, columns["position"])
    return Package(
        package_id=checked_id(package_id),
        attribute_set=attribute_set and sys.intern(attribute_set),
        name=name,
        pname=pname,
        version=version,
        outputs=_output_names(tuple(raw.outputs or ())),
        system=None if raw.system is None else _word(raw.system),
        meta_extra=_extra(meta, leave_out),
        **columns,
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
    if _NO_TEXT in package_id:
        raise MalformedError(f"the attribute path {package_id!a} is not UTF-8")
    return package_id


def _names(raw: RawPackage) -> tuple[str, str | None, str]:
    name = fold_line(raw.name or "")
    pname = fold_line(raw.pname or "")
    version = fold_line(raw.version or "")
    if name is None and pname is None:
        raise MalformedError("name and pname: both are missing or blank")
    if any(len(part or "") > _LONGEST_ID for part in (name, pname, version)):
        raise MalformedError(f"name, pname or version: has more than {_LONGEST_ID:,} characters")
    if name is None:
        name = f"{pname}-{version}" if version else str(pname)
    # In nixpkgs' own listing, what has no pname has its name there, and what has no version the
    # empty string (the fallbacks of pkgs/top-level/packages-info.nix).
    if pname == name:
        pname = name.removesuffix(f"-{version}") if version else None
    if pname is None or version is None:
        parsed_pname, parsed_version = parse_drv_name(name)
        # Nix prints no name that starts with its version, but a name such as `-1` would be one.
        pname = pname or parsed_pname or name
        version = version or parsed_version or None
    return pname, version, name


def _read(meta: RawMeta, field: _Field) -> object:
    raw = meta.get(field.attribute)
    if raw is None:
        return field.absent
    value = bytes(raw)
    if value == b"null":
        return field.absent
    try:
        return field.read(value)
    except RecursionError:
        raise MalformedError(f"meta.{field.attribute}: nested too deeply") from None
    except msgspec.ValidationError as error:
        raise MalformedError(f"meta.{field.attribute}: {_first_lower(str(error))}") from None
    except (ValueError, msgspec.DecodeError) as error:
        raise MalformedError(f"meta.{field.attribute}: {error}") from None


def _first_lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _line(value: bytes) -> str | None:
    return fold_line(decode_string(value))


def _paragraphs(value: bytes) -> str | None:
    return fold_paragraphs(decode_string(value))


@shared
def _lines(value: bytes) -> tuple[str, ...]:
    return distinct(map(fold_line, strings(value)))


def _urls(value: bytes) -> tuple[str, ...]:
    return distinct(address for text in strings(value) for address in valid_urls(text))


def _first_url(value: bytes) -> str | None:
    return next(iter(_urls(value)), None)


def _other_urls(value: bytes) -> tuple[str, ...]:
    return _urls(value)[1:]


@shared
def _licensing(value: bytes) -> Licensing:
    return read_license(decode_any(value))


def _license(value: bytes) -> str | None:
    return _licensing(value).expression


def _licenses(value: bytes) -> tuple[License, ...]:
    return _same_licenses(_licensing(value).licenses)


@shared
def _same_licenses(licenses: tuple[License, ...]) -> tuple[License, ...]:
    return licenses


@shared
def _platforms(value: bytes) -> tuple[str, ...]:
    return distinct(map(_word, resolve_platforms(decode_any(value))))


@shared
def _provenance(value: bytes) -> tuple[str, ...]:
    return names(value, ("shortName",))


def _cpe(value: bytes) -> str | None:
    """Return the CPE nixpkgs is sure of, else the first of those it thinks possible.

    nixpkgs writes `cpe` where all `cpeParts` are known; from fewer it makes none. Possible ones
    differ only in how the version is split into version and update.
    """
    found = _decode_identifiers(value)
    possible = (possible.cpe for possible in found.possible_cpes)
    return _word(found.cpe or next(filter(None, possible), None) or "")


def _purls(value: bytes) -> tuple[str, ...]:
    found = _decode_identifiers(value)
    return distinct(map(fold_line, found.purls or ([found.purl] if found.purl else [])))


class _PossibleCpe(msgspec.Struct, frozen=True, gc=False):
    cpe: str | None = None


class _Identifiers(msgspec.Struct, frozen=True, gc=False):
    cpe: str | None = None
    possible_cpes: list[_PossibleCpe] = msgspec.field(name="possibleCPEs", default_factory=list)
    purl: str | None = None
    purls: list[str] = []


_decode_identifiers = msgspec.json.Decoder(_Identifiers).decode


def below(root: str | None, position: str | None) -> str | None:
    """Return file:line, relative to the root of nixpkgs if it is in there."""
    return position.removeprefix(f"{root}/") if root and position else position


@shared
def _output_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return distinct(map(fold_line, names))


@shared
def _word(text: str) -> str | None:
    return fold_line(text)


class _Field(NamedTuple):
    """How the value of one attribute of `meta` is read, and where it goes."""

    column: str
    attribute: str
    read: Callable[[bytes], object]
    absent: object = None


_FIELDS: Final = (
    _Field("description", "description", _line),
    _Field("long_description", "longDescription", _paragraphs),
    _Field("homepages", "homepage", _urls, ()),
    _Field("changelog", "changelog", _first_url),
    _Field("download_page", "downloadPage", _first_url),
    _Field("main_program", "mainProgram", _line),
    _Field("license", "license", _license),
    _Field("licenses", "license", _licenses, ()),
    _Field("maintainers", "maintainers", read_maintainers, ()),
    _Field("teams", "teams", read_teams, ()),
    _Field("platforms", "platforms", _platforms),
    _Field("bad_platforms", "badPlatforms", _platforms, ()),
    _Field("available", "available", flag),
    _Field("broken", "broken", flag),
    _Field("insecure", "insecure", flag),
    _Field("unfree", "unfree", flag),
    _Field("unsupported", "unsupported", flag),
    _Field("known_vulnerabilities", "knownVulnerabilities", _lines, ()),
    _Field("outputs_to_install", "outputsToInstall", _lines, ()),
    _Field("source_provenance", "sourceProvenance", _provenance, ()),
    _Field("cpe", "identifiers", _cpe),
    _Field("position", "position", _line),
)
_TEAMS_AMONG_MAINTAINERS: Final = _Field("teams", "maintainers", read_teams_among, ())
# What those columns have no room for, by its name in `meta_extra`.
_LEFT_OVER: Final = (
    _Field("changelog", "changelog", _other_urls),
    _Field("downloadPage", "downloadPage", _other_urls),
    _Field("purls", "identifiers", _purls),
)
# In `meta`, and worth no column: `name` repeats the entry's, unless `meta` was inherited from
# another package, which makes it wrong; `nonTeamMaintainers` is the part of `maintainers` that no
# team brings in; `maintainersPosition` and `teamsPosition` are lines of the file that `position`
# names.
_REDUNDANT = frozenset({"maintainersPosition", "name", "nonTeamMaintainers", "teamsPosition"})
_KNOWN = _REDUNDANT | {field.attribute for field in _FIELDS}


def _extra(meta: RawMeta, leave_out: Callable[[str], None]) -> str | None:
    """Return what of `meta` no column holds, as JSON."""
    members = {}
    for name, raw in meta.items():
        if name in _KNOWN:
            continue
        try:
            members[_readable(name)] = _canonical(bytes(raw))
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            leave_out(f"meta.{name} ({error})")
    members |= {
        field.column: msgspec.json.encode(values).decode()
        for field in _LEFT_OVER
        if (values := _read(meta, field))
    }
    text = ",".join(
        f"{_quoted(attribute)}:{member}"
        for attribute, member in sorted(members.items())
        # An empty attribute set, as `problems` mostly is, says nothing. An empty list does: without
        # `hydraPlatforms` Hydra builds a package for all, with `[]` for none.
        if member not in {"null", "{}"}
    )
    return sys.intern(f"{{{text}}}") if text else None


def _readable(name: str) -> str:
    if _NO_TEXT in name:
        raise ValueError("its name is not UTF-8")
    return name


@shared
def _canonical(value: bytes) -> str:
    return msgspec.json.encode(decode_any(value), order="sorted").decode()


@shared
def _quoted(attribute: str) -> str:
    return msgspec.json.encode(attribute).decode()
