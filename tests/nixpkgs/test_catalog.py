from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fdnix.errors import DataError
from fdnix.nixpkgs.catalog import (
    MAX_ENTRY_BYTES,
    Catalog,
    Outline,
    Rejected,
    decode,
    outline,
    read_catalog,
)
from fdnix.nixpkgs.compression import unpacked
from fdnix.nixpkgs.package import Package

if TYPE_CHECKING:
    from pathlib import Path

_ENTRIES: dict[str, Any] = {
    "hello": {"name": "hello-2.12", "meta": {"description": "Greeter"}},
    "python313Packages.requests": {"name": "python3.13-requests-2.32", "meta": {}},
    "zlib": {"name": "zlib-1.3", "meta": {"license": {"spdxId": "Zlib"}}},
}


def _read(tmp_path: Path, document: object) -> Catalog:
    path = tmp_path / "packages"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return read_catalog(path)


def _refused(tmp_path: Path, document: object) -> str:
    with pytest.raises(DataError) as refusal:
        _read(tmp_path, document)
    message = str(refusal.value)
    assert message.startswith(f"{tmp_path / 'packages'}: ")
    return message.removeprefix(f"{tmp_path / 'packages'}: ")


def _outcome(catalog: Catalog) -> tuple[list[str], dict[str, str]]:
    found = list(decode(catalog))
    return (
        [package.package_id for package in found if isinstance(package, Package)],
        {entry.package_id: entry.reason for entry in found if isinstance(entry, Rejected)},
    )


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def _zstd_of_unknown_length(data: bytes) -> bytes:
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    "document",
    [
        _ENTRIES,
        {"version": 2, "packages": _ENTRIES},
        {"version": "2", "packages": _ENTRIES},
        {"packages": _ENTRIES, "version": 2},
    ],
    ids=["nix-env", "channel", "channel with a string", "channel the other way round"],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_both_forms_are_told_apart_by_content(
    tmp_path: Path, document: dict[str, Any], indent: int | None
) -> None:
    data = json.dumps(document, indent=indent).encode()
    catalog = _read(tmp_path, data)
    assert list(catalog.entries) == list(_ENTRIES)
    assert catalog.sha256 == hashlib.sha256(data).hexdigest()
    assert catalog.repeated == ()
    assert _outcome(catalog) == (list(_ENTRIES), {})


def _positions(tmp_path: Path, *positions: str, root: Path | None = None) -> list[str | None]:
    entries = {
        f"p{number}": {"name": "p-1", "meta": {"position": position}}
        for number, position in enumerate(positions)
    }
    path = tmp_path / "packages"
    path.write_text(json.dumps(entries))
    found = decode(read_catalog(path, root))
    return [package.position for package in found if isinstance(package, Package)]


@pytest.mark.parametrize(
    "root", ["/nix/store/abc-nixos/nixos", "/srv/lib/doc/pkgs/nixpkgs", "/pkgs/pkgs", "/home/ann"]
)
def test_positions_are_relative_to_the_root_that_they_share(tmp_path: Path, root: str) -> None:
    inside = [
        "pkgs/by-name/he/hello/package.nix:1",
        "pkgs/games/pkgs/default.nix:2",
        "pkgs/os-specific/linux/default.nix:3",
        "nixos/modules/x.nix:4",
        "maintainers/y.nix:5",
    ]
    found = _positions(tmp_path, *(f"{root}/{position}" for position in inside), "/etc/o.nix:1")
    assert found == [*inside, "/etc/o.nix:1"]
    assert _positions(tmp_path, f"{root}/{inside[0]}") == [inside[0]]


def test_positions_are_relative_to_the_root_that_is_known(tmp_path: Path) -> None:
    root = tmp_path / "pkgs" / "mine"
    found = _positions(tmp_path, f"{root}/default.nix:1", f"{root}er/x.nix:2", root=root)
    assert found == ["default.nix:1", f"{root}er/x.nix:2"]
    assert _positions(tmp_path, "pkgs/a/default.nix:3", root=root) == ["pkgs/a/default.nix:3"]


def test_a_package_may_be_called_packages_or_version(tmp_path: Path) -> None:
    entries = {"packages": {"name": "packages-1"}, "version": {"name": "version-1"}}
    assert _outcome(_read(tmp_path, entries)) == (["packages", "version"], {})


@pytest.mark.parametrize(
    "compress",
    [brotli.compress, gzip.compress, lzma.compress, _zstd, _zstd_of_unknown_length],
    ids=["brotli", "gzip", "xz", "zstd", "zstd stream"],
)
def test_compression_is_told_by_content_and_the_checksum_is_of_the_json(
    tmp_path: Path, compress: Any
) -> None:
    data = json.dumps(_ENTRIES).encode()
    catalog = _read(tmp_path, compress(data))
    assert list(catalog.entries) == list(_ENTRIES)
    assert catalog.sha256 == hashlib.sha256(data).hexdigest()


def test_several_members_of_gzip_and_zstandard_are_one_document(tmp_path: Path) -> None:
    data = json.dumps(_ENTRIES).encode()
    for compress in (gzip.compress, lzma.compress, _zstd):
        catalog = _read(tmp_path, compress(data[:50]) + compress(data[50:]))
        assert list(catalog.entries) == list(_ENTRIES)


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = brotli.compress(json.dumps(_ENTRIES).encode())
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert list(read_catalog(pipe).entries) == list(_ENTRIES)
    writer.join()


def test_a_byte_order_mark_and_blanks_around_the_document_do_no_harm(tmp_path: Path) -> None:
    data = json.dumps(_ENTRIES).encode()
    assert list(_read(tmp_path, b"\xef\xbb\xbf" + data).entries) == list(_ENTRIES)
    assert list(_read(tmp_path, b"\n \t" + data + b"\n\n").entries) == list(_ENTRIES)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (gzip.compress(b"", mtime=0), "holds nothing once decompressed"),
        (b"\x7fELF\x02\x01\x01" + bytes(range(256)), "is neither JSON nor JSON compressed"),
        (b"Name: hello\n", "is neither JSON nor JSON compressed"),
        ([], "is JSON but no catalogue: the entry: expected object, found array"),
        ("text", "is JSON but no catalogue"),
        ({}, "lists no packages"),
        ({"version": 2, "packages": {}}, "lists no packages"),
        ({"version": 2, "packages": []}, "is JSON but no catalogue"),
        ({"version": 2}, "has a version but no packages"),
        ({"version": 3, "packages": _ENTRIES}, "version of the catalogue's form is 3"),
        ({"version": 3, "packages": []}, "version of the catalogue's form is 3"),
        ({"version": True, "packages": _ENTRIES}, "version of the catalogue's form is True"),
        ({"packages": _ENTRIES}, "version of the catalogue's form is none"),
        (b"[" * 100_000, "is JSON but no catalogue"),
        (b'{"a":' + b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_no_catalogue_is_refused_with_its_own_message(
    tmp_path: Path, document: object, message: str
) -> None:
    assert message in _refused(tmp_path, document)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.json: cannot be read: No such file"):
        read_catalog(tmp_path / "absent.json")


@pytest.mark.parametrize("size", [70_000, 200_000])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("quality", [1, 5, 9])
@pytest.mark.parametrize("window", [16, 22])
def test_brotli_that_begins_like_json_is_brotli(
    tmp_path: Path, size: int, indent: int | None, quality: int, window: int
) -> None:
    entries = {f"p{number}": {"name": f"p-{number}"} for number in range(size // 28)}
    data = json.dumps(entries, indent=indent).encode()
    packed = brotli.compress(data, quality=quality, lgwin=window)
    assert len(_read(tmp_path, packed).entries) == len(entries)


@given(
    text=st.text(st.sampled_from("abcde {}[]:,\n"), min_size=0, max_size=300),
    quality=st.integers(0, 11),
    window=st.integers(10, 24),
    blanks=st.sampled_from(["", " ", "\n", "\ufeff", "\t\r\n"]),
)
def test_what_was_packed_is_what_is_unpacked(
    text: str, quality: int, window: int, blanks: str
) -> None:
    data = f'{blanks}{{"{text!a}": 1}}'.encode()
    plain = data.removeprefix(b"\xef\xbb\xbf")
    for packed in (
        data,
        brotli.compress(data, quality=quality, lgwin=window),
        gzip.compress(data, quality % 10),
        lzma.compress(data, preset=quality % 10),
        _zstd(data),
    ):
        assert unpacked(packed, "here", 1 << 20) == plain


@pytest.mark.parametrize("compress", [brotli.compress, gzip.compress, lzma.compress, _zstd])
def test_a_file_that_unpacks_to_more_than_it_may_is_refused_before_it_is_held(
    tmp_path: Path, compress: Any
) -> None:
    bomb = compress(b"{" + b" " * 150_000_000)
    with pytest.raises(DataError, match=r"bytes that it may have; .*NIXPKGS_MAX_BYTES"):
        unpacked(bomb, "here", 1_000_000)
    with pytest.raises(DataError, match="more than 200 times its size"):
        unpacked(bomb, "here", 10**10)


def test_a_plain_file_larger_than_it_may_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "packages.json"
    path.write_text(json.dumps(_ENTRIES))
    with pytest.raises(DataError, match=r"larger than 100 bytes.*NIXPKGS_MAX_BYTES"):
        read_catalog(path, max_bytes=100)


@pytest.mark.parametrize("compress", [brotli.compress, gzip.compress, lzma.compress, _zstd])
def test_cut_off_compression_is_refused(tmp_path: Path, compress: Any) -> None:
    noise = {f"p{i}": {"name": hashlib.sha256(bytes([i])).hexdigest()} for i in range(200)}
    data = compress(json.dumps(noise).encode())
    assert "is cut off" in _refused(tmp_path, data[: len(data) * 9 // 10])


def test_damaged_compression_is_refused(tmp_path: Path) -> None:
    for compress, name, at in ((gzip.compress, "gzip", -8), (_zstd, "Zstandard", 4)):
        data = bytearray(compress(json.dumps(_ENTRIES).encode()))
        data[at] ^= 0xFF
        assert f"the {name} data are damaged" in _refused(tmp_path, bytes(data))


@pytest.mark.parametrize("channel", [False, True])
@pytest.mark.parametrize("indent", [None, 2])
def test_every_cut_is_an_error_that_says_where(
    tmp_path: Path, channel: bool, indent: int | None
) -> None:
    document = {"version": "2", "packages": _ENTRIES} if channel else _ENTRIES
    data = json.dumps(document, indent=indent).encode()
    names = ["version", "packages"] if channel else list(_ENTRIES)
    ends = {name: data.index(f'"{name}"'.encode()) + len(name) + 2 for name in names}
    for cut in range(1, len(data)):
        message = _refused(tmp_path, data[:cut])
        line = data.count(b"\n", 0, cut) + 1
        assert f"the document is cut off at byte {cut:,}, line {line:,}; " in message
        before = [name for name, end in ends.items() if end <= cut]
        expected = f"last attribute before it is {before[-1]};" if before else "no attribute before"
        assert expected in message


def test_json_that_goes_wrong_in_the_middle_says_where(tmp_path: Path) -> None:
    data = json.dumps(_ENTRIES, indent=2).encode().replace(b'"zlib-1.3"', b"zlib-1.3")
    at = data.index(b"zlib-1.3")
    line = data.count(b"\n", 0, at) + 1
    message = _refused(tmp_path, data)
    assert f"invalid character at byte {at:,}, line {line:,};" in message
    assert "the last attribute before it is zlib" in message


def test_an_attribute_path_that_is_not_utf8_is_rejected_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    data = json.dumps(_ENTRIES).encode().replace(b'"zlib"', b'"zl\xffb"')
    packages, rejected = _outcome(_read(tmp_path, data))
    assert packages == ["hello", "python313Packages.requests"]
    assert rejected == {"zl\ufffdb": "the attribute path 'zl\\ufffdb' is not UTF-8"}


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (b'"odd":1e400', "out of range"),
        (b'"odd":{"deep":[-1e999]}', "out of range"),
        (b'"odd":' + b"9" * 5000, "out of range"),
        (b'"odd":"Gr\xfc\xdfe"', "utf-8"),
        (b'"odd":{"k\xff":1}', "utf-8"),
        (b'"o\xffd":1', "not UTF-8"),
    ],
)
def test_an_unknown_attribute_that_cannot_be_read_is_left_out_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, odd: bytes, why: str
) -> None:
    meta = b'"meta":{' + odd + b',"kept":7,"description":"Odd"}'
    data = json.dumps({"first": {"name": "first-1"}} | _ENTRIES).encode()
    data = data.replace(b'"first-1"', b'"first-1",' + meta)
    catalog = _read(tmp_path, data)
    first, *others = decode(catalog)
    assert isinstance(first, Package)
    assert (first.description, first.meta_extra) == ("Odd", '{"kept":7}')
    assert len(others) == len(_ENTRIES)
    (record,) = caplog.records
    assert "1 attributes are left out" in record.message
    assert "first: meta.o" in record.message
    assert why in record.message.lower() or why in record.message


@pytest.mark.parametrize("depth", [10, 150, 250, 900, 2_000, 100_000])
@pytest.mark.parametrize("value", ['"x"', '"\\"]}"', '{"a":[]}'])
def test_depth_beyond_reason_costs_the_attribute_that_has_it(
    tmp_path: Path, depth: int, value: str
) -> None:
    deep = "[" * depth + value + "]" * depth
    data = json.dumps({"odd": {"name": "odd-1", "meta": {"x": 0, "y": 1}}} | _ENTRIES)
    packages, rejected = _outcome(_read(tmp_path, data.replace('"x": 0', f'"x":{deep}').encode()))
    assert (packages, rejected) == (["odd", *_ENTRIES], {})
    known = data.replace('"x": 0', f'"license":{deep}').encode()
    packages, rejected = _outcome(_read(tmp_path, known))
    if depth > 1_000:
        assert (packages, list(rejected)) == ([*_ENTRIES], ["odd"])


@pytest.mark.parametrize("value", ["1e400", "9" * 5000, "-" + "9" * 5000])
def test_numbers_beyond_all_range_reject_what_must_be_known_and_nothing_else(
    tmp_path: Path, value: str
) -> None:
    data = json.dumps({"bad": {"name": 0}, "outs": {"name": "outs-1"}} | _ENTRIES)
    data = data.replace("0", value, 1).replace('"outs-1"', f'"outs-1","outputs":{{"out":{value}}}')
    packages, rejected = _outcome(_read(tmp_path, data.encode()))
    assert list(rejected) == ["bad"]
    assert packages == ["outs", *_ENTRIES]


def test_a_version_of_the_form_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    data = b'{"version":' + b"2" * 5000 + b',"packages":{"a":{"name":"a-1"}}}'
    assert "version of the catalogue's form" in _refused(tmp_path, data)


def test_text_after_the_document_is_refused(tmp_path: Path) -> None:
    data = json.dumps(_ENTRIES).encode()
    assert "trailing characters at byte" in _refused(tmp_path, data + b" {}")


@pytest.mark.parametrize("indent", [None, 2])
def test_an_attribute_path_listed_twice_keeps_its_first_entry_and_is_reported(
    tmp_path: Path, indent: int | None
) -> None:
    entries = {**_ENTRIES, "twin": {"name": "hello-9"}, "python313Packages.tw": {"name": "z-1"}}
    text = json.dumps({"version": 2, "packages": entries}, indent=indent)
    text = text.replace('"twin"', '"hello"').replace("python313Packages.tw", "zl\\u0069b")
    catalog = _read(tmp_path, text.encode())
    assert catalog.repeated == ("hello", "zlib")
    packages = [entry for entry in decode(catalog) if isinstance(entry, Package)]
    assert [package.name for package in packages] == [
        "hello-2.12",
        "python3.13-requests-2.32",
        "zlib-1.3",
    ]
    assert [entry for entry in decode(catalog) if isinstance(entry, Rejected)] == [
        Rejected("hello", "the attribute path is listed again; the first entry stays"),
        Rejected("zlib", "the attribute path is listed again; the first entry stays"),
    ]


def test_a_document_laid_out_by_hand_repeats_nothing(tmp_path: Path) -> None:
    data = b'{"a":{"name":"a-1"}  ,\n\n"b" :  {"name":"b-1"},"\\u0063":{"name":"c-1"}\t}'
    catalog = _read(tmp_path, data)
    assert list(catalog.entries) == ["a", "b", "c"]
    assert catalog.repeated == ()


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (5, "the entry: expected object, found int"),
        (None, "the entry: expected object, found null"),
        ([], "the entry: expected object, found array"),
        ({}, "name and pname: both are missing or blank"),
        ({"name": 5}, "name: expected str or null, found int"),
        ({"name": "a", "version": 1.5}, "version: expected str or null, found float"),
        ({"name": "a", "meta": []}, "meta: expected object or null, found array"),
        ({"name": "a", "outputs": 1}, "outputs: expected object or array or null, found int"),
        ({"name": "a", "outputs": [1]}, "outputs[0]: expected str, found int"),
        ({"name": "a", "meta": {"license": 1}}, "meta.license: expected a licence"),
    ],
)
def test_one_malformed_entry_is_rejected_and_the_rest_goes_on(
    tmp_path: Path, entry: object, reason: str
) -> None:
    packages, rejected = _outcome(_read(tmp_path, {"bad": entry} | _ENTRIES))
    assert packages == list(_ENTRIES)
    assert list(rejected) == ["bad"]
    assert rejected["bad"].startswith(reason)


def test_an_entry_that_is_not_utf8_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    data = json.dumps(_ENTRIES).encode().replace(b"Greeter", b"Gr\xfc\xdfe")
    packages, rejected = _outcome(_read(tmp_path, data))
    assert packages == ["python313Packages.requests", "zlib"]
    assert rejected["hello"].startswith("meta.description: 'utf-8' codec")


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    text = r'{"a":{"name":"a-1","meta":{"description":"\ud83d x \\ud800 \ud83d\ude00 \udc00"}}}'
    (package,) = decode(_read(tmp_path, text.encode()))
    assert isinstance(package, Package)
    assert package.description == "\ufffd x \\ud800 \U0001f600 \ufffd"


def test_attribute_paths_are_shown_in_one_line(tmp_path: Path) -> None:
    ids = {"": {"name": "a"}, "a\n\x1b[2Jb": {"name": "a"}, "x" * 5000: {"name": "a"}}
    packages, rejected = _outcome(_read(tmp_path, ids))
    assert packages == []
    assert list(rejected) == ["", r"a\n\x1b[2Jb", "x" * 200 + "…"]
    assert all("attribute path" in reason for reason in rejected.values())


@pytest.mark.parametrize(("attribute", "kept"), [("other", ["deep"]), ("license", [])])
def test_what_is_nested_beyond_reason_is_left_out_or_rejects_its_entry(
    tmp_path: Path, attribute: str, kept: list[str]
) -> None:
    deep = "[" * 2000 + "]" * 2000
    data = f'{{"deep":{{"name":"deep-1","meta":{{"{attribute}":{deep}}}}}}}'
    packages, rejected = _outcome(_read(tmp_path, data.encode()))
    assert packages == kept
    assert len(rejected) == 1 - len(kept)


def test_a_hundred_megabytes_in_one_string_are_rejected_by_name(tmp_path: Path) -> None:
    data = b'{"big":{"name":"' + b"x" * 100_000_000 + b'"},"hello":{"name":"hello-1"}}'
    packages, rejected = _outcome(_read(tmp_path, data))
    assert packages == ["hello"]
    assert rejected == {
        "big": f"the entry is 100,000,011 bytes of JSON, more than the {MAX_ENTRY_BYTES:,} it may"
        " have"
    }


def test_an_outline_has_positions_below_the_root_and_the_commonest_system(tmp_path: Path) -> None:
    entries = {
        "a": {
            "name": "a-1",
            "system": "x86_64-linux",
            "meta": {"position": "/nixpkgs/pkgs/a.nix:3"},
        },
        "b": {"name": "b-1", "system": "aarch64-linux", "meta": {"position": "pkgs/b.nix:1"}},
        "c": {"name": "c-1", "system": "x86_64-linux", "meta": {}},
        "bad": {"meta": 3},
    }
    assert outline(replace(_read(tmp_path, entries), root="/nixpkgs")) == Outline(
        {"a": "pkgs/a.nix:3", "b": "pkgs/b.nix:1", "c": None, "bad": None}, "x86_64-linux"
    )
