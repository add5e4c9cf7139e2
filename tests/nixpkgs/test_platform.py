from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdnix.nixpkgs.platform import SYSTEMS, resolve_platforms

_LINUX = {"execFormat": {"name": "elf"}, "families": {}, "name": "linux"}


def _linux(cpu: dict[str, Any]) -> tuple[str, ...]:
    return resolve_platforms([{"cpu": cpu, "kernel": _LINUX}])


def test_names_stay_in_order_also_those_nixpkgs_does_not_list() -> None:
    names = ["x86_64-linux", "i686_linux", "aarch64-darwin", "x86_64-linux"]
    assert resolve_platforms(names) == ("x86_64-linux", "i686_linux", "aarch64-darwin")


def test_one_name_or_pattern_without_a_list_is_a_list_of_one() -> None:
    assert resolve_platforms("x86_64-linux") == ("x86_64-linux",)
    assert resolve_platforms({}) == SYSTEMS


def test_the_type_of_a_pattern_asks_nothing() -> None:
    linux = {
        "_type": "kernel",
        "execFormat": {"_type": "exec-format", "name": "elf"},
        "families": {},
        "name": "linux",
    }
    cpu = {"bits": 64, "family": "x86", "significantByte": {"_type": "significant-byte"}}
    pattern = {"_type": "system", "cpu": cpu, "kernel": linux}
    assert resolve_platforms([pattern]) == ("x86_64-linux",)


def test_lists_in_lists_are_flattened() -> None:
    nested = ["x86_64-linux", [["aarch64-linux"], {"kernel": {"name": "cygwin"}}, []]]
    found = resolve_platforms(nested)
    assert found == ("x86_64-linux", "aarch64-linux", "i686-cygwin", "x86_64-cygwin")


def test_no_platforms_stay_none() -> None:
    assert resolve_platforms([]) == ()


@pytest.mark.parametrize(
    ("cpu", "systems"),
    [
        ({"family": "x86"}, ("i686-linux", "x86_64-linux")),
        ({"family": "x86", "bits": 64}, ("x86_64-linux",)),
        (
            {"family": "arm"},
            ("aarch64-linux", "armv5tel-linux", "armv6l-linux", "armv7a-linux", "armv7l-linux"),
        ),
        ({"family": "s390"}, ("s390-linux", "s390x-linux")),
        (
            {"family": "power", "bits": 64, "significantByte": {"name": "littleEndian"}},
            ("powerpc64le-linux",),
        ),
        ({"family": "sparc"}, ()),
    ],
)
def test_a_cpu_on_linux(cpu: dict[str, Any], systems: tuple[str, ...]) -> None:
    assert _linux(cpu) == systems


@pytest.mark.parametrize(
    ("pattern", "systems"),
    [
        (
            {"kernel": {"families": {"darwin": {"name": "darwin"}}}},
            ("x86_64-darwin", "aarch64-darwin"),
        ),
        (
            {"cpu": {"bits": 64}, "kernel": {"families": {"bsd": {"name": "bsd"}}}},
            (
                "x86_64-freebsd",
                "aarch64-freebsd",
                "aarch64-netbsd",
                "riscv64-netbsd",
                "x86_64-netbsd",
                "x86_64-openbsd",
            ),
        ),
        (
            {"kernel": {"execFormat": {"name": "pe"}, "families": {}, "name": "cygwin"}},
            ("i686-cygwin", "x86_64-cygwin"),
        ),
        ({"abi": {"eabi": True, "float": "soft", "name": "gnueabi"}}, ("armv5tel-linux",)),
        (
            {"abi": {"eabi": True, "float": "hard", "name": "gnueabihf"}},
            ("armv6l-linux", "armv7a-linux", "armv7l-linux"),
        ),
        # No system name means an n32, musl or static system: those are cross targets.
        ({"abi": {"abi": "n32"}, "cpu": {"bits": 64, "family": "mips"}}, ()),
        ({"abi": {"name": "musl"}}, ()),
        ({"abi": {"name": "msvc"}}, ("aarch64-windows", "x86_64-windows", "i686-windows")),
        ({"abi": {"abi": "elfv1"}}, ("powerpc64-linux",)),
        ({"cpu": {"arch": "armv6"}}, ("armv6l-linux", "armv6l-netbsd", "armv6l-none")),
        (
            {"kernel": {"name": "cygwin"}, "vendor": {"name": "pc"}},
            ("i686-cygwin", "x86_64-cygwin"),
        ),
        ({"isStatic": True, "parsed": {"kernel": _LINUX}}, ()),
        ({"isStatic": True, "parsed": {}}, ("x86_64-redox", "wasm64-wasi", "wasm32-wasi")),
        ({"parsed": {}}, SYSTEMS),
        ({"unheard": "of"}, ()),
    ],
)
def test_patterns_stand_for_the_systems_that_match(
    pattern: dict[str, Any], systems: tuple[str, ...]
) -> None:
    assert resolve_platforms([pattern]) == systems


def test_names_and_patterns_mix_without_repetition() -> None:
    found = resolve_platforms(["x86_64-linux", {"cpu": {"family": "x86"}, "kernel": _LINUX}])
    assert found == ("x86_64-linux", "i686-linux")


@pytest.mark.parametrize("value", [1, True, [None], [[None]], ["x86_64-linux", 2]])
def test_other_forms_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected system names and patterns"):
        resolve_platforms(value)


_patterns = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.fixed_dictionaries(
            {},
            optional={
                "bits": st.sampled_from([8, 16, 32, 64]),
                "family": st.sampled_from(["arm", "x86", "mips", "power", "wasm", "avr"]),
            },
        ),
        "kernel": st.fixed_dictionaries(
            {}, optional={"name": st.sampled_from(["linux", "darwin", "none", "windows"])}
        ),
        "abi": st.fixed_dictionaries(
            {}, optional={"name": st.sampled_from(["gnu", "unknown", "gnueabihf"])}
        ),
    },
)


@given(_patterns)
def test_resolving_is_stable_and_wrapping_in_parsed_changes_nothing(
    pattern: dict[str, Any],
) -> None:
    systems = resolve_platforms([pattern])
    assert set(systems) <= set(SYSTEMS)
    assert resolve_platforms(list(systems)) == systems
    assert resolve_platforms([{"parsed": pattern}]) == systems


@given(_patterns, st.data())
def test_a_pattern_that_asks_for_less_matches_no_less(
    pattern: dict[str, Any], data: st.DataObject
) -> None:
    if pattern:
        dropped = data.draw(st.sampled_from(sorted(pattern)))
        looser = {name: part for name, part in pattern.items() if name != dropped}
        assert set(resolve_platforms([pattern])) <= set(resolve_platforms([looser]))
