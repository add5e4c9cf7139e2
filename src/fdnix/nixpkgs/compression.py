"""Compressed files, told by their content and unpacked piece by piece up to a limit."""

from __future__ import annotations

import lzma
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Final

import brotli
import zstandard

from fdnix.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAX_RATIO: Final = 200
"""The bytes that one packed byte may unpack to; nixpkgs' catalogue has some 30 in Brotli."""

_RAISE_LIMIT: Final = "if it is one of yours, raise NIXPKGS_MAX_BYTES"

_REMEDY = "fetch or generate it again"
# What may be unpacked of a file however small it is.
_SMALL = 64 << 20
_PIECE = 1 << 20
# Zstandard's decoder unpacks all it is given: 128 KiB of each four bytes at most (RFC 8878, 3.1.1).
_ZSTD_INPUT = 512

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_JSON_STARTS = (b"{", b"[", b'"')


def packed(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a file or pipe, which may be `max_bytes`.

    Raises:
        DataError: it cannot be read, or has more.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > max_bytes:
        raise DataError(f"{path}: is larger than {max_bytes:,} bytes; {_RAISE_LIMIT}")
    return data


def unpacked(data: bytes, where: str, max_bytes: int) -> bytes:
    """Return the JSON in `data`: plain, or in gzip, xz, Zstandard or Brotli.

    The formats with a magic number are told by it. Brotli has none, and may begin like JSON: `[`
    begins the stream of any text of 64 KiB to 1 MiB (RFC 7932, 9.1 and 9.2). It is tried wherever
    the data do not begin with `{`, with which no stream does.

    Raises:
        DataError: it is empty, cut off, damaged, none of these, or unpacks to more than
            `max_bytes`, or to more than a catalogue would at that size; `where` names it.
    """
    if not data or data.isspace():
        raise DataError(f"{where}: is empty; {_REMEDY}")
    for magic, name, unpack in _FORMATS:
        if data.startswith(magic):
            return _document(unpack(data), name, data, where, max_bytes)
    head = data[:64].removeprefix(_BYTE_ORDER_MARK).lstrip()
    if data.startswith(b"{"):
        return data
    try:
        return _document(_from_brotli(data), "Brotli", data, where, max_bytes)
    except _OtherError:
        if head.startswith(_JSON_STARTS):
            return data.removeprefix(_BYTE_ORDER_MARK)
        raise DataError(
            f"{where}: is neither JSON nor JSON compressed with gzip, xz, Zstandard or Brotli; give"
            " the output of nix-env -qaP --json --meta, or a channel's packages.json.br"
        ) from None


def unpacked_pieces(data: bytes, where: str, max_bytes: int) -> Iterator[bytes]:
    """Yield what gzip, xz or Zstandard data unpack to, piece by piece.

    Raises:
        DataError: they are cut off, damaged, none of these, or unpack to more than `max_bytes`, or
            to more than nixpkgs would at that size; `where` names them.
    """
    for magic, name, unpack in _FORMATS:
        if data.startswith(magic):
            yield from _bounded(unpack(data), name, data, where, max_bytes)
            return
    raise DataError(f"{where}: is compressed neither with gzip nor xz nor Zstandard; {_REMEDY}")


class _OtherError(Exception):
    """The data are not in this format."""


def _document(pieces: Iterator[bytes], name: str, data: bytes, where: str, max_bytes: int) -> bytes:
    document = BytesIO()
    for piece in _bounded(pieces, name, data, where, max_bytes):
        document.write(piece)
    return document.getvalue().removeprefix(_BYTE_ORDER_MARK)


def _bounded(
    pieces: Iterator[bytes], name: str, data: bytes, where: str, max_bytes: int
) -> Iterator[bytes]:
    most = min(max_bytes, max(_SMALL, MAX_RATIO * len(data)))
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > most:
                limit = (
                    f"more than the {max_bytes:,} bytes that it may have; {_RAISE_LIMIT}"
                    if most == max_bytes
                    else f"more than {MAX_RATIO:,} times its size, as nothing of nixpkgs does; "
                    f"{_REMEDY}"
                )
                raise DataError(f"{where}: the {name} data unpack to {limit}")
            yield piece
    except EOFError:
        raise DataError(
            f"{where}: is cut off: the {name} data go on after byte {len(data):,}, where the"
            f" file ends; {_REMEDY}"
        ) from None
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, MemoryError) as error:
        raise DataError(f"{where}: the {name} data are damaged ({error}); {_REMEDY}") from None


def _from_gzip(data: bytes) -> Iterator[bytes]:
    rest = data
    while rest.strip(b"\0"):
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while not stream.eof:
            piece = stream.decompress(rest, _PIECE)
            rest = stream.unconsumed_tail
            yield piece
            if not piece and not rest and not stream.eof:
                raise EOFError
        rest = stream.unused_data


def _from_xz(data: bytes) -> Iterator[bytes]:
    rest = data
    while rest.strip(b"\0"):
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 30)
        while not stream.eof:
            piece = stream.decompress(rest, _PIECE)
            rest = b""
            yield piece
            if not piece and stream.needs_input and not stream.eof:
                raise EOFError
        rest = stream.unused_data


def _from_zstd(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            if at >= len(data):
                raise EOFError
            yield frame.decompress(data[at : at + _ZSTD_INPUT])
            at += _ZSTD_INPUT
        at = min(at, len(data)) - len(frame.unused_data)


def _from_brotli(data: bytes) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    begins_like_json = None
    rest = data
    try:
        while not stream.is_finished():
            piece = stream.process(rest, output_buffer_limit=_PIECE)
            rest = b""
            if begins_like_json is None and piece.strip():
                begins_like_json = (
                    piece.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(_JSON_STARTS)
                )
            yield piece
            if not piece and stream.can_accept_more_data() and not stream.is_finished():
                if begins_like_json:
                    raise EOFError
                raise _OtherError
    except brotli.error as error:
        raise _OtherError from error


_FORMATS: tuple[tuple[bytes, str, Callable[[bytes], Iterator[bytes]]], ...] = (
    (b"\x1f\x8b", "gzip", _from_gzip),
    (b"\xfd7zXZ\0", "xz", _from_xz),
    (b"\x28\xb5\x2f\xfd", "Zstandard", _from_zstd),
)
