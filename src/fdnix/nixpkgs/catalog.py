"""The catalogue: the JSON that describes all packages of one nixpkgs revision.

Two forms exist: what `nix-env -qaP --json --meta` prints, one object from attribute path to entry,
and what channels.nixos.org serves as packages.json.br, the same object under `packages` beside a
`version` (2 or "2"). Entries stay JSON until `decode` reads them, one at a time.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

import brotli
import msgspec
import zstandard

from fdnix.errors import DataError
from fdnix.nixpkgs.package import MalformedError, Package, RawPackage, normalise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ENTRY_BYTES: Final = 4 << 20
"""Entries whose JSON is longer are rejected unread; the longest in nixpkgs has some 10 kB."""

_VERSIONS = (2, "2")
_REMEDY = "fetch or generate it again"


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
class Rejected:
    """An entry that did not become a package, and why."""

    package_id: str
    reason: str


def read_catalog(path: Path, root: Path | None = None) -> Catalog:
    """Return the catalogue in a file or pipe: plain JSON, gzip, Zstandard or Brotli.

    `root` is the directory of the nixpkgs it was evaluated from; unless given, it is what most of
    the absolute positions share.

    Raises:
        DataError: it cannot be read, is empty, cut off, no JSON, no catalogue, or has no packages;
            the message says which and where.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    document = _decompressed(data, str(path))
    del data
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

    Equal values of attributes that come in few forms are the same object in all packages.
    """
    decoder = msgspec.json.Decoder(RawPackage)
    for package_id, raw in catalog.entries.items():
        try:
            yield _package(package_id, raw, decoder, catalog.root)
        except MalformedError as error:
            yield Rejected(_shown(package_id), str(error))
    for package_id in catalog.repeated:
        yield Rejected(
            _shown(package_id), "the attribute path is listed again; the first entry stays"
        )


def _package(
    package_id: str,
    raw: msgspec.Raw,
    decoder: msgspec.json.Decoder[RawPackage],
    root: str | None,
) -> Package:
    size = memoryview(raw).nbytes
    if size > MAX_ENTRY_BYTES:
        raise MalformedError(
            f"the entry is {size:,} bytes of JSON, more than the {MAX_ENTRY_BYTES:,} it may have"
        )
    try:
        entry = decoder.decode(raw)
    except RecursionError:
        raise MalformedError("the entry is nested too deeply") from None
    except msgspec.ValidationError as error:
        raise MalformedError(_plain_reason(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"the entry is no valid JSON: {error}") from None
    return normalise(package_id, entry, root)


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

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_JSON_STARTS = (b"{", b"[", b'"', _BYTE_ORDER_MARK)


def _decompressed(data: bytes, where: str) -> bytes:
    """Return the JSON in the data, whose compression is told by how they begin.

    Brotli has no magic number, so it is what is left. It cannot be mistaken for JSON: a stream that
    began with `{`, `[` or a quote would have to be an empty or a reserved one (RFC 7932, 9.1).
    """
    head = data[:64].lstrip()
    if not data or data.isspace():
        raise DataError(f"{where}: is empty; {_REMEDY}")
    if head.startswith(_JSON_STARTS):
        return data.removeprefix(_BYTE_ORDER_MARK)
    if data.startswith(_GZIP_MAGIC):
        return _from_gzip(data, where)
    if data.startswith(_ZSTD_MAGIC):
        return _from_zstd(data, where)
    return _from_brotli(data, where)


def _from_gzip(data: bytes, where: str) -> bytes:
    try:
        return gzip.decompress(data)
    except EOFError:
        raise _cut_off("gzip", data, where) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _damaged("gzip", error, where) from None


def _from_zstd(data: bytes, where: str) -> bytes:
    document = BytesIO()
    rest = data
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            document.write(frame.decompress(rest))
        except zstandard.ZstdError as error:
            raise _damaged("Zstandard", error, where) from None
        if not frame.eof:
            raise _cut_off("Zstandard", data, where)
        rest = frame.unused_data
    return document.getvalue()


def _from_brotli(data: bytes, where: str) -> bytes:
    stream = brotli.Decompressor()
    try:
        document: bytes = stream.process(data)
    except brotli.error:
        raise _rubbish(where) from None
    if stream.is_finished():
        return document
    if document.lstrip().startswith(b"{"):
        raise _cut_off("Brotli", data, where)
    raise _rubbish(where)


def _cut_off(compression: str, data: bytes, where: str) -> DataError:
    return DataError(
        f"{where}: is cut off: the {compression} data go on after byte {len(data):,}, where the"
        f" file ends; {_REMEDY}"
    )


def _damaged(compression: str, error: Exception, where: str) -> DataError:
    return DataError(f"{where}: the {compression} data are damaged ({error}); {_REMEDY}")


def _rubbish(where: str) -> DataError:
    return DataError(
        f"{where}: is neither JSON nor JSON compressed with gzip, Zstandard or Brotli; give the"
        " output of nix-env -qaP --json --meta, or a channel's packages.json.br"
    )


def _entries(document: bytes, where: str) -> tuple[dict[str, msgspec.Raw], tuple[str, ...]]:
    """Return the entries of a document in either form, and the attribute paths listed again."""
    if not document or document.isspace():
        raise DataError(f"{where}: holds nothing once decompressed; {_REMEDY}")
    members, repeated = _members(document, where)
    version = members.get("version")
    # A bare catalogue may have packages of these names, which are objects with a name.
    if version is not None and not bytes(version).startswith(b"{"):
        _check_version(msgspec.json.decode(version), where)
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
        raise DataError(f"{where}: is nested too deeply to be a catalogue") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        broken = bytes(document)
        whole = _LONE_SURROGATES.sub(_replacement, broken)
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


def _replacement(escape: re.Match[bytes]) -> bytes:
    """Return U+FFFD for half a surrogate pair, which JSON can spell but no text can hold."""
    return rb"\ufffd" if escape["lone"] else escape[0]


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
