from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fdnix.nixpkgs.attribute import base, family, split, unversioned

_plain = st.from_regex(r"[A-Za-z_][A-Za-z0-9_'-]*", fullmatch=True)
_odd = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1)


@pytest.mark.parametrize(
    ("path", "attribute_set", "attribute"),
    [
        ("hello", None, "hello"),
        ("python313Packages.requests", "python313Packages", "requests"),
        ("linuxKernel.packages.linux_6_6.zfs", "linuxKernel.packages.linux_6_6", "zfs"),
        ('nodePackages."@angular/cli.beta"', "nodePackages", "@angular/cli.beta"),
        ('"a.b"', None, "a.b"),
        ('"a.b".c', '"a.b"', "c"),
    ],
)
def test_a_path_is_a_set_and_an_attribute(
    path: str, attribute_set: str | None, attribute: str
) -> None:
    assert split(path) == (attribute_set, attribute)


@given(st.lists(_plain, max_size=3), _plain | _odd)
def test_any_attribute_can_be_found_again(sets: list[str], attribute: str) -> None:
    path = ".".join([*sets, json.dumps(attribute)])
    assert split(path) == (".".join(sets) or None, attribute)


@given(st.text())
def test_no_path_however_odd_is_an_error(path: str) -> None:
    attribute_set, attribute = split(path)
    assert len(attribute_set or "") + len(attribute) <= len(path)


@pytest.mark.parametrize(
    ("attribute_set", "expected"),
    [
        ("gnome", "gnome"),
        ("python313Packages", "pythonPackages"),
        ("rubyPackages_3_3", "rubyPackages"),
        ("luajitPackages", "luaPackages"),
        ("lua5_4Packages", "luaPackages"),
        ("linuxKernel.packages.linux_6_6", "linuxKernel.packages.linux"),
        ("linuxKernel.packages.linux_6_6_hardened", "linuxKernel.packages.linux"),
        ("linuxKernel.packages.linux_zen", "linuxKernel.packages.linux"),
        ("haskell.packages.ghc9121", "haskell.packages.ghc"),
        ("beam27Packages", "beamPackages"),
        ("coqPackages_9_0", "coqPackages"),
        ("ocaml-ng.ocamlPackages_5_3", "ocaml-ng.ocamlPackages"),
    ],
)
def test_a_family_is_a_set_without_its_version(attribute_set: str, expected: str) -> None:
    assert family(attribute_set) == expected


@given(_plain, st.lists(st.integers(0, 99), min_size=1, max_size=3), st.sampled_from("-_"))
def test_all_versions_of_a_set_are_of_one_family(
    name: str, version: list[int], separator: str
) -> None:
    versioned = f"{name}Packages{separator}{separator.join(map(str, version))}"
    assert family(versioned) == family(f"{name}Packages")


@given(_plain)
def test_a_family_has_no_version(name: str) -> None:
    assert not any(map(str.isdigit, family(name)))


@pytest.mark.parametrize(
    ("attribute", "version", "expected"),
    [
        ("postgresql_17", "17.10", "postgresql"),
        ("postgresql_17", "16.1", "postgresql_17"),
        ("yquake2", "8.51", "yquake2"),
        ("openssl_1_1", "1.1.1w", "openssl"),
        ("go_1_24", "1.24.5", "go"),
        ("firefox-unwrapped", "140.0", "firefox"),
        ("gcc13-unwrapped", "13.2", "gcc"),
        ("x264", "264", "x264"),
        ("hello", "2.12", "hello"),
        ("-unwrapped", "1.0", "-unwrapped"),
    ],
)
def test_a_base_is_an_attribute_without_the_packages_own_version(
    attribute: str, version: str, expected: str
) -> None:
    assert base(attribute, version) == expected


@given(_plain, st.text())
def test_a_base_is_the_start_of_the_attribute(attribute: str, version: str) -> None:
    assert base(attribute, version)
    assert attribute.startswith(base(attribute, version))


@given(_plain, st.none() | st.text(st.characters(exclude_categories=["Nd"])))
def test_without_a_version_no_number_goes(attribute: str, version: str | None) -> None:
    assume(not attribute.endswith("-unwrapped"))
    assert base(attribute, version) == attribute


@given(st.from_regex(r"[a-z]{1,9}[a-uw-z]", fullmatch=True), st.integers(0, 99), st.integers(0, 99))
def test_variants_share_their_base(name: str, major: int, minor: int) -> None:
    version = f"{major}.{minor}.1"
    variants = (name, f"{name}_{major}", f"{name}{major}_{minor}", f"{name}-unwrapped")
    assert {base(variant, version) for variant in variants} == {name}


@pytest.mark.parametrize(
    ("path", "version", "expected"),
    [
        ("ripgrep", "15.1", "ripgrep"),
        ("postgresql_17", "17.10", "postgresql"),
        ("python313Packages.pandas", "2.3", "pythonPackages.pandas"),
        ("kdePackages.kate", None, "kdePackages.kate"),
    ],
)
def test_a_path_without_versions(path: str, version: str | None, expected: str) -> None:
    assert unversioned(path, version) == expected
