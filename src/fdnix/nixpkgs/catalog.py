"""The catalogue: the JSON that describes all packages of one nixpkgs revision.

Two forms exist: what `nix-env -qaP --json --meta` prints, one object from attribute path to entry,
and what channels.nixos.org serves as packages.json.br, the same object under `packages` beside a
`version` (2 or "2"). Entries stay JSON until `decode` reads them, one at a time.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from fdnix.errors import DataError
from fdnix.nixpkgs.compression import packed, unpacked
from fdnix.nixpkgs.package import MalformedError, Package, RawPackage, below, normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 1_000_000_000
"""The bytes of JSON that a catalogue has at most, unless told otherwise."""

MAX_ENTRY_BYTES: Final = 4 << 20
"""Entries whose JSON is longer are rejected unread; the longest in nixpkgs has some 10 kB."""

_VERSIONS = (2, "2")
_REMEDY = "fetch or generate it again"
_FEW_SHOWN = 10


@dataclass(frozen=True)
class Catalog:
    """The entries by attribute path, and the checksum of the JSON as it was."""

    entries: dict[str, msgspec.Raw]
    sha256: str
    repeated: tuple[str, ...] = ()
    """Attribute paths that were listed again; `entries` holds their first entry."""
    root: str | None = None
    """The directory of the nixpkgs that absolute positions lie in."""


@dataclass(frozen=True)
class Outline:
    """What the packages of a catalogue are, before they are decoded.

    Attributes:
        positions: attribute path to position, `file:line` below the root of nixpkgs; None where
            none is known.
        system: that most packages were evaluated for.
    """

    positions: dict[str, str | None]
    system: str | None


@dataclass(frozen=True)
class Rejected:
    """An entry that did not become a package, and why."""

    package_id: str
    reason: str


def outline(catalog: Catalog) -> Outline:
    """The outline of the catalogue."""
    positions: dict[str, str | None] = {}
    systems: Counter[str] = Counter()
    for package_id, raw in catalog.entries.items():
        try:
            entry = _decode_placed(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            entry = _Placed()
        position = None if entry.meta is None else entry.meta.position
        positions[package_id] = below(catalog.root, position)
        if entry.system:
            systems[entry.system] += 1
    return Outline(positions, next((system for system, _ in systems.most_common(1)), None))


class _PlacedMeta(msgspec.Struct, frozen=True, gc=False):
    position: str | None = None


class _Placed(msgspec.Struct, frozen=True, gc=False):
    meta: _PlacedMeta | None = None
    system: str | None = None


_decode_placed = msgspec.json.Decoder(_Placed).decode


def read_catalog(path: Path, root: Path | None = None, *, max_bytes: int = MAX_BYTES) -> Catalog:
    """Return the catalogue in a file or pipe: plain JSON, gzip, xz, Zstandard or Brotli.

    `root` is the directory of the nixpkgs it was evaluated from; unless given, it is what most of
    the absolute positions share. No more than `max_bytes` are read or unpacked, nor what unpacks
    to far more than any catalogue does.

    Raises:
        DataError: it cannot be read, is empty, cut off, too large, no JSON, no catalogue, or has no
            packages; the message says which and where.
    """
    document = unpacked(packed(path, max_bytes), str(path), max_bytes)
    checksum = hashlib.sha256(document).hexdigest()
    entries, repeated = _entries(document, str(path))
    return Catalog(entries, checksum, repeated, str(root) if root else _common_root(document))


_POSITION = re.compile(rb'"position": ?"(/[^"\\]*/pkgs/)')


def _common_root(document: bytes) -> str | None:
    """Return the deepest directory in whose `pkgs` more than half of the absolute positions lie.

    Not all do: nixpkgs has packages in `nixos` and `maintainers` too, and `pkgs` may be the name
    of a directory above it or within it.
    """
    directories = Counter(_POSITION.findall(document))
    roots: Counter[bytes] = Counter()
    for directory, count in directories.items():
        for pkgs in re.finditer(rb"/pkgs(?=/)", directory):
            roots[directory[: pkgs.start()]] += count
    shared = [root for root, count in roots.items() if 2 * count > directories.total()]
    return max(shared, key=len).decode(errors="replace") if shared else None


def decode(catalog: Catalog) -> Iterator[Package | Rejected]:
    """Yield each package, or why it was rejected, in the catalogue's order, then what it repeats.

    Equal values of attributes that come in few forms are the same object in all packages. Unknown
    attributes that cannot be read are left out of their packages, and a warning names them.
    """
    decoder = msgspec.json.Decoder(RawPackage)
    unread: list[str] = []
    for package_id, raw in catalog.entries.items():
        try:
            yield _package(package_id, raw, decoder, catalog.root, unread.append)
        except MalformedError as error:
            yield Rejected(_shown(package_id), str(error))
    for package_id in catalog.repeated:
        yield Rejected(
            _shown(package_id), "the attribute path is listed again; the first entry stays"
        )
    if unread:
        first = "; ".join(unread[:_FEW_SHOWN])
        logger.warning(
            "%d attributes are left out, since they cannot be read: %s", len(unread), first
        )


def _package(
    package_id: str,
    raw: msgspec.Raw,
    decoder: msgspec.json.Decoder[RawPackage],
    root: str | None,
    leave_out: Callable[[str], None],
) -> Package:
    size = memoryview(raw).nbytes
    if size > MAX_ENTRY_BYTES:
        raise MalformedError(
            f"the entry is {size:,} bytes of JSON, more than the {MAX_ENTRY_BYTES:,} it may have"
        )
    try:
        try:
            entry = decoder.decode(raw)
        except UnicodeDecodeError:
            entry = decoder.decode(_with_text_keys(bytes(raw)))
    except RecursionError:
        raise MalformedError("the entry is nested too deeply") from None
    except msgspec.ValidationError as error:
        raise MalformedError(_plain_reason(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"the entry is no valid JSON: {error}") from None
    return normalise(
        package_id, entry, root, lambda said: leave_out(f"{_shown(package_id)}: {_shown(said)}")
    )


_REASON = re.compile(r"Expected (?P<expected>.*), got (?P<found>.*?)(?: - at `\$\.?(?P<at>.*)`)?")


def _plain_reason(message: str) -> str:
    match = _REASON.fullmatch(message.replace(" | ", " or "))
    if not match:
        return message
    expected, found = match["expected"].strip("`"), match["found"].strip("`")
    return f"{match['at'] or 'the entry'}: expected {expected}, found {found}"


def _shown(package_id: str) -> str:
    """Return the attribute path so that a terminal can show it in one line."""
    printable = package_id if package_id.isprintable() else ascii(package_id)[1:-1]
    return printable if len(printable) <= _LONGEST_SHOWN else f"{printable[:_LONGEST_SHOWN]}…"


_LONGEST_SHOWN = 200


def _entries(document: bytes, where: str) -> tuple[dict[str, msgspec.Raw], tuple[str, ...]]:
    """Return the entries of a document in either form, and the attribute paths listed again."""
    if not document or document.isspace():
        raise DataError(f"{where}: holds nothing once decompressed; {_REMEDY}")
    members, repeated = _members(document, where)
    version = members.get("version")
    # A bare catalogue may have packages of these names, which are objects with a name.
    if version is not None and not bytes(version).startswith(b"{"):
        _check_version(_version(version), where)
        if "packages" not in members:
            raise DataError(f"{where}: has a version but no packages; {_REMEDY}")
        members, repeated = _members(members["packages"], where)
    elif "packages" in members:
        package, _ = _members(members["packages"], where)
        if not {"name", "pname"} & package.keys():
            _check_version(None, where)
    if not members:
        raise DataError(f"{where}: lists no packages; {_REMEDY}")
    return members, repeated


class _Key:
    """A key of a JSON object, equal to no other, so that one listed again replaces nothing."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _members(
    document: bytes | msgspec.Raw, where: str
) -> tuple[dict[str, msgspec.Raw], tuple[str, ...]]:
    """Return the members of an object, the first of each key, and the keys listed again."""
    last = ""

    def key(_: type, text: str) -> _Key:
        nonlocal last
        last = text
        return _Key(text)

    decode_listed = msgspec.json.Decoder(dict[_Key, msgspec.Raw], dec_hook=key).decode
    try:
        listed = decode_listed(document)
    except msgspec.ValidationError as error:
        raise DataError(f"{where}: is JSON but no catalogue: {_plain_reason(str(error))}") from None
    except RecursionError:
        broken = bytes(document)
        whole = _without_depths(broken)
        if whole == broken:
            raise DataError(f"{where}: is nested too deeply to be a catalogue") from None
        return _members(whole, where)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        broken = bytes(document)
        mend = _with_text_keys if isinstance(error, UnicodeDecodeError) else _with_whole_pairs
        whole = mend(broken)
        if whole != broken:
            return _members(whole, where)
        before = (
            f"the last attribute before it is {_shown(last)}" if last else "no attribute before it"
        )
        raise DataError(
            f"{where}: is no valid JSON: {_where_invalid(broken, error)}; {before}; {_REMEDY}"
        ) from None
    members: dict[str, msgspec.Raw] = {}
    repeated = []
    for listed_key, value in listed.items():
        if listed_key.text in members:
            repeated.append(listed_key.text)
        else:
            members[listed_key.text] = value
    return members, tuple(repeated)


# Every escape is matched, so that the second backslash of an escaped one begins none.
_LONE_SURROGATES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)


def _with_whole_pairs(document: bytes) -> bytes:
    """Return the document with U+FFFD for half a surrogate pair, which no text can hold."""
    return _LONE_SURROGATES.sub(
        lambda escape: rb"\ufffd" if escape["lone"] else escape[0], document
    )


# Every string is matched, so that no key begins within one.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"(?P<key>\s*+:)?', re.DOTALL)


def _with_text_keys(document: bytes) -> bytes:
    """Return the document with U+FFFD for what is not UTF-8 in the keys of its objects."""
    return _STRINGS.sub(
        lambda found: found[0].decode(errors="replace").encode() if found["key"] else found[0],
        document,
    )


_DEEPEST: Final = 200
"""How deep a value may be nested; nixpkgs' deepest, a licence of a source, has some ten."""
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{}]', re.DOTALL)
_UNREADABLE = b"1e999"


def _without_depths(document: bytes) -> bytes:
    """Return the document with a number that cannot be read for what is nested beyond reason.

    What holds it is then left out, or rejected, as all that cannot be read.
    """
    kept = []
    depth = end = start = 0
    for found in _BRACKETS.finditer(document):
        bracket = found[0]
        if bracket in {b"{", b"["}:
            depth += 1
            if depth == _DEEPEST:
                start = found.start()
        elif bracket in {b"}", b"]"}:
            if depth == _DEEPEST:
                kept += [document[end:start], _UNREADABLE]
                end = found.end()
            depth -= 1
    return b"".join([*kept, document[end:]])


def _version(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return "one that cannot be read"


def _check_version(version: object, where: str) -> None:
    if version not in _VERSIONS:
        found = "none" if version is None else repr(version)
        raise DataError(
            f"{where}: the version of the catalogue's form is {found:.40}, and fdnix reads 2;"
            " a newer fdnix may read it"
        )


def _where_invalid(document: bytes, error: Exception) -> str:
    match = re.fullmatch(r"JSON is malformed: (.*) \(byte (\d+)\)", str(error))
    if isinstance(error, UnicodeDecodeError):
        problem, at = "text that is not UTF-8", _first_byte_not_utf8(document)
    elif match:
        problem, at = match[1], int(match[2])
    else:
        problem, at = "the document is cut off", len(document)
    line = document.count(b"\n", 0, at) + 1
    return f"{problem} at byte {at:,}, line {line:,}"


def _first_byte_not_utf8(document: bytes) -> int:
    try:
        document.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(document)
