from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.nixpkgs.license import License
from fdnix.nixpkgs.package import MalformedError, Package, RawPackage, normalise
from fdnix.nixpkgs.people import Maintainer


def _package(package_id: str = "hello", /, meta: Any = None, **entry: Any) -> Package:
    raw = {"name": "hello-2.12", "meta": meta or {}} | entry
    return normalise(package_id, msgspec.json.decode(json.dumps(raw), type=RawPackage))


def _meta(**meta: Any) -> Package:
    return _package(meta=meta)


def test_a_whole_entry() -> None:
    package = _package(
        "gnome.hello",
        meta={
            "available": True,
            "badPlatforms": ["aarch64-darwin"],
            "broken": False,
            "changelog": "https://example.org/news",
            "description": "Program that\nprints a greeting",
            "downloadPage": "https://example.org/get",
            "homepage": ["https://example.org", "https://mirror.example.org"],
            "insecure": False,
            "knownVulnerabilities": ["CVE-2020-1  is open"],
            "license": {"spdxId": "GPL-3.0-or-later", "shortName": "gpl3Plus"},
            "longDescription": "One.\n\n\nTwo.",
            "mainProgram": "hello",
            "maintainers": [{"name": "Ann", "github": "ann", "githubId": 7, "keys": []}],
            "name": "hello-2.12",
            "outputsToInstall": ["bin", "man"],
            "platforms": ["x86_64-linux"],
            "position": "pkgs/by-name/he/hello/package.nix:12",
            "priority": 5,
            "sourceProvenance": [{"shortName": "fromSource", "isSource": True}],
            "teams": [{"shortName": "GNOME", "members": [{"name": "Bob"}]}],
            "unfree": False,
            "unsupported": False,
        },
        pname="hello",
        version="2.12",
        system="x86_64-linux",
        outputs={"bin": None, "man": None},
    )
    assert package == Package(
        package_id="gnome.hello",
        attribute_set="gnome",
        name="hello-2.12",
        pname="hello",
        version="2.12",
        description="Program that prints a greeting",
        long_description="One.\n\nTwo.",
        homepages=("https://example.org", "https://mirror.example.org"),
        changelog="https://example.org/news",
        download_page="https://example.org/get",
        main_program="hello",
        license="GPL-3.0-or-later",
        licenses=(License(spdx_id="GPL-3.0-or-later", short_name="gpl3Plus"),),
        maintainers=(Maintainer(name="Ann", github="ann", github_id=7),),
        teams=("GNOME",),
        platforms=("x86_64-linux",),
        bad_platforms=("aarch64-darwin",),
        available=True,
        broken=False,
        insecure=False,
        unfree=False,
        unsupported=False,
        known_vulnerabilities=("CVE-2020-1 is open",),
        outputs=("bin", "man"),
        outputs_to_install=("bin", "man"),
        source_provenance=("fromSource",),
        cpe=None,
        position="pkgs/by-name/he/hello/package.nix:12",
        system="x86_64-linux",
        meta_extra='{"priority":5}',
    )


def test_an_entry_with_nothing_but_a_name() -> None:
    package = _package()
    assert (package.pname, package.version) == ("hello", "2.12")
    known = {"package_id", "name", "pname", "version"}
    rest = {name: getattr(package, name) for name in package.__struct_fields__ if name not in known}
    assert set(rest.values()) == {None, ()}
    assert package.platforms is None


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ({"name": "a-b-1.0"}, ("a-b", "1.0", "a-b-1.0")),
        ({"name": "a-b", "version": ""}, ("a-b", None, "a-b")),
        ({"name": "a-1.0", "pname": "a"}, ("a", "1.0", "a-1.0")),
        ({"name": None, "pname": "a", "version": "1.0"}, ("a", "1.0", "a-1.0")),
        ({"name": " ", "pname": "a"}, ("a", None, "a")),
        ({"name": "x-2", "pname": "a", "version": "1"}, ("a", "1", "x-2")),
        # As packages-info.nix writes what has neither: its name, and the empty string.
        (
            {"name": "glibc-multi-2.42-67", "pname": "glibc-multi-2.42-67", "version": ""},
            ("glibc-multi", "2.42-67", "glibc-multi-2.42-67"),
        ),
        ({"name": "nim-2.2", "pname": "nim-2.2", "version": "2.2"}, ("nim", "2.2", "nim-2.2")),
        ({"name": "a-hook", "pname": "a-hook", "version": ""}, ("a-hook", None, "a-hook")),
        ({"name": "x-2", "pname": "x-2", "version": "1"}, ("x-2", "1", "x-2")),
    ],
)
def test_names_and_versions(entry: dict[str, Any], names: tuple[str, str | None, str]) -> None:
    package = _package(**entry)
    assert (package.pname, package.version, package.name) == names


@pytest.mark.parametrize(
    ("package_id", "attribute_set"),
    [
        ("hello", None),
        ("python313Packages.requests", "python313Packages"),
        ("linuxKernel.packages.linux_5_10.systemtap", "linuxKernel.packages.linux_5_10"),
        ('nodePackages."@angular/cli.beta"', "nodePackages"),
        ('a."b.c".d', 'a."b.c"'),
        ('"b.c"', None),
    ],
)
def test_the_attribute_set_is_what_stands_before_the_last_dot_outside_quotes(
    package_id: str, attribute_set: str | None
) -> None:
    package = _package(package_id)
    assert package.package_id == package_id
    assert package.attribute_set == attribute_set


@pytest.mark.parametrize("package_id", ["", "a\nb", "a\0", "\x1b[2J", "a" * 2000])
def test_attribute_paths_that_cannot_be_shown_are_refused(package_id: str) -> None:
    with pytest.raises(MalformedError, match="attribute path"):
        _package(package_id)


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), (False, False), ("true", True), ("false", False), (None, None)],
)
def test_flags_may_be_strings_as_in_older_releases(value: object, flag: bool | None) -> None:
    assert _meta(broken=value).broken is flag


def test_forms_of_provenance() -> None:
    provenance = _meta(sourceProvenance=["fromSource", {"shortName": "binaryFirmware"}])
    assert provenance.source_provenance == ("fromSource", "binaryFirmware")


def test_no_platforms_differ_from_platforms_not_set() -> None:
    assert _meta(platforms=[]).platforms == ()
    assert _meta(platforms=None).platforms is None


@pytest.mark.parametrize(
    ("identifiers", "cpe"),
    [
        (
            {"cpe": "cpe:2.3:a:gnu:hello:2.12:*:*:*:*:*:*:*", "possibleCPEs": [{"cpe": "other"}]},
            "cpe:2.3:a:gnu:hello:2.12:*:*:*:*:*:*:*",
        ),
        # Of so few parts nixpkgs makes none (its standard environments).
        ({"cpeParts": {"vendor": "nixos", "product": "stdenv", "version": "26.11"}}, None),
        (
            {"cpeParts": {"vendor": "gnu"}, "possibleCPEs": [{"cpe": "first"}, {"cpe": "second"}]},
            "first",
        ),
        ({"cpeParts": {"product": "hello"}, "possibleCPEs": []}, None),
    ],
)
def test_the_cpe_is_the_surest_one(identifiers: dict[str, Any], cpe: str | None) -> None:
    assert _meta(identifiers=identifiers).cpe == cpe


def test_lists_in_lists_are_flattened() -> None:
    package = _meta(
        outputsToInstall=["out", ["man"]],
        knownVulnerabilities=[["CVE-2020-1"]],
        homepage=[["https://example.org"]],
        sourceProvenance=[["fromSource"]],
    )
    assert package.outputs_to_install == ("out", "man")
    assert package.known_vulnerabilities == ("CVE-2020-1",)
    assert package.homepages == ("https://example.org",)
    assert package.source_provenance == ("fromSource",)


def test_nested_lists_of_maintainers_and_platforms_reject_no_package() -> None:
    ada, bob = ({"name": name, "email": f"{name}@example.org"} for name in ("Ada", "Bob"))
    package = _meta(
        maintainers=[ada, [bob]],
        platforms=["x86_64-linux", [["aarch64-linux"]]],
        badPlatforms=[["x86_64-darwin", "aarch64-darwin"]],
        teams=[[{"shortName": "Example"}]],
    )
    assert [person.name for person in package.maintainers] == ["Ada", "Bob"]
    assert package.platforms == ("x86_64-linux", "aarch64-linux")
    assert package.bad_platforms == ("x86_64-darwin", "aarch64-darwin")
    assert package.teams == ("Example",)


def test_a_team_among_the_maintainers_joins_the_teams() -> None:
    team = {"members": [{"name": "Bob"}], "shortName": "Example"}
    package = _meta(maintainers=[{"name": "Ada"}, team], teams=[{"shortName": "Other"}])
    assert package.maintainers == (Maintainer(name="Ada"), Maintainer(name="Bob"))
    assert package.teams == ("Other", "Example")


@pytest.mark.parametrize(
    ("homepage", "homepages"),
    [
        ("\n  https://a.org/1\n  https://a.org/2\n", ("https://a.org/1", "https://a.org/2")),
        ("https://a.org, https://b.org", ("https://a.org", "https://b.org")),
        ("https://a.org;<https://b.org>", ("https://a.org", "https://b.org")),
        (
            ["https://a.org https://b.org", "https://c.org"],
            tuple(f"https://{c}.org" for c in "abc"),
        ),
        ("https://a.org/x,y;z", ("https://a.org/x,y;z",)),
        ("https://a.org/my file", ()),
        ("see https://a.org", ()),
    ],
)
def test_several_addresses_in_one_string_are_several(
    homepage: object, homepages: tuple[str, ...]
) -> None:
    assert _meta(homepage=homepage).homepages == homepages


def test_addresses_that_are_none_are_left_out_and_do_not_reject() -> None:
    package = _meta(homepage=["git@example.org:x", " https://example.org "], changelog="none")
    assert package.homepages == ("https://example.org",)
    assert package.changelog is None


def test_meta_extra_keeps_what_no_column_holds_sorted_and_without_nulls() -> None:
    package = _meta(
        timeout=60,
        branch="1.18",
        hydraPlatforms=[],
        problems={},
        isFcitxEngine=None,
        changelog=["https://example.org/1", "https://example.org/2"],
        identifiers={"purls": ["pkg:github/a/b@1"]},
        name="other-1",
        nonTeamMaintainers=[],
        maintainersPosition={"line": 1},
        description="Greeter",
    )
    assert package.changelog == "https://example.org/1"
    assert package.meta_extra == (
        '{"branch":"1.18","changelog":["https://example.org/2"],"hydraPlatforms":[],'
        '"purls":["pkg:github/a/b@1"],"timeout":60}'
    )


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({"description": 5}, r"meta\.description: expected `str`, got `int`"),
        ({"longDescription": ["x"]}, r"meta\.longDescription: expected `str`, got `array`"),
        ({"homepage": {}}, r"meta\.homepage: expected `str \| array`, got `object`"),
        ({"homepage": [1]}, r"meta\.homepage: expected `str`, got `int`"),
        ({"broken": "perhaps"}, r"meta\.broken: expected true or false, found 'perhaps'"),
        ({"license": 5}, r"meta\.license: expected a licence"),
        ({"platforms": [5]}, r"meta\.platforms: expected system names"),
        ({"maintainers": [5]}, r"meta\.maintainers: expected objects or strings, found 5"),
        ({"maintainers": [{"name": 5}]}, r"meta\.maintainers: expected a string as name"),
        ({"maintainers": [{"githubId": "x"}]}, r"meta\.maintainers: expected a number as githubId"),
        ({"maintainers": [{"githubId": 1 << 64}]}, r"expected a number as githubId"),
        ({"teams": [{}]}, r"meta\.teams: expected names or objects with shortName"),
        ({"identifiers": []}, r"meta\.identifiers: expected `object`, got `array`"),
        ({"mainProgram": True}, r"meta\.mainProgram: expected `str`, got `bool`"),
    ],
)
def test_forms_nixpkgs_does_not_write_reject_the_entry_by_name(
    meta: dict[str, Any], reason: str
) -> None:
    with pytest.raises(MalformedError, match=reason):
        _package(meta=meta)


@pytest.mark.parametrize("name", [None, "", " \t"])
def test_an_entry_without_any_name_is_refused(name: str | None) -> None:
    with pytest.raises(MalformedError, match="name and pname"):
        _package(name=name)


def test_equal_values_are_one_object() -> None:
    meta = {
        "license": [{"spdxId": "MIT"}],
        "platforms": ["x86_64-linux", {"cpu": {"family": "arm"}}],
        "maintainers": [{"name": "Ann"}],
        "teams": ["x"],
        "timeout": 5,
    }
    one = _package("one", meta=meta, outputs={"out": None}, system="x86_64-linux")
    two = _package("two", meta=meta, outputs={"out": None}, system="x86_64-linux")
    for column in (
        "license",
        "licenses",
        "platforms",
        "maintainers",
        "teams",
        "outputs",
        "system",
        "meta_extra",
    ):
        assert getattr(one, column) is getattr(two, column), column


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
_attributes = st.sampled_from(
    [
        "broken",
        "changelog",
        "description",
        "homepage",
        "identifiers",
        "knownVulnerabilities",
        "license",
        "longDescription",
        "maintainers",
        "outputsToInstall",
        "platforms",
        "position",
        "sourceProvenance",
        "teams",
        "unheardOf",
    ]
)


@given(st.dictionaries(_attributes, _json, max_size=3))
def test_any_meta_is_a_package_or_refused_with_a_reason(meta: dict[str, Any]) -> None:
    try:
        package = _package(meta=meta)
    except MalformedError as error:
        assert str(error).startswith("meta.")  # noqa: PT017  either outcome is right
    else:
        assert package.package_id == "hello"
        assert package.meta_extra is None or isinstance(json.loads(package.meta_extra), dict)


def test_a_variant_knows_what_it_is_called_without_versions() -> None:
    package = _package("python313Packages.rust_1_89", name="rust-1.89.0")
    assert (package.attribute_name, package.set_family, package.base_name) == (
        "rust_1_89",
        "pythonPackages",
        "rust",
    )
    assert _package("hello").set_family is None
