"""The systems nixpkgs means by `meta.platforms` and `meta.badPlatforms`.

Both attributes hold system names ("doubles", such as `x86_64-linux`) and patterns. A pattern is a
part of a parsed platform, such as `{"cpu": {"family": "arm", "bits": 64}}`, and stands for every
platform that has all of its attributes (`lib.meta.platformMatch`, which wraps a pattern without
`parsed` as `{parsed = pattern;}` and calls `lib.matchAttrs`; `{}` matches everything). Here a
pattern becomes the systems of `lib.platforms.all` that match it.

Sources, all in nixpkgs 26.11: lib/systems/doubles.nix (the list), lib/systems/parse.nix (CPUs,
kernels, and the ABI and vendor a double gets when it names none), lib/systems/default.nix
(`isStatic`). A double is native, never static unless its kernel knows nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# kernel: (format of executables, family, CPUs that nixpkgs lists with it), in the list's order
_KERNELS: dict[str, tuple[str, str | None, str]] = {
    "cygwin": ("pe", None, "i686 x86_64"),
    "darwin": ("macho", "darwin", "x86_64 aarch64"),
    "freebsd": ("elf", "bsd", "i686 x86_64 aarch64"),
    "genode": ("elf", None, "aarch64 i686 x86_64"),
    "solaris": ("elf", None, "x86_64"),
    "ghcjs": ("unknown", None, "javascript"),
    "linux": (
        "elf",
        None,
        (
            "aarch64 arc armv5tel armv6l armv7a armv7l i686 loongarch64 m68k sh4 microblaze"
            " microblazeel mips mips64 mips64el mipsel powerpc powerpc64 powerpc64le riscv32"
            " riscv64 s390 s390x x86_64"
        ),
    ),
    "mmixware": ("unknown", None, "mmix"),
    "netbsd": (
        "elf",
        "bsd",
        "aarch64 armv6l armv7a armv7l i686 m68k mipsel powerpc riscv32 riscv64 x86_64",
    ),
    "none": (
        "unknown",
        None,
        (
            "aarch64_be aarch64 arm armv6l avr i686 microblaze microblazeel mips mips64 msp430 or1k"
            " m68k powerpc powerpcle riscv32 riscv64 rx s390 s390x vc4 x86_64"
        ),
    ),
    "openbsd": ("elf", "bsd", "i686 x86_64"),
    "redox": ("elf", None, "x86_64"),
    "wasi": ("wasm", None, "wasm64 wasm32"),
    "windows": ("pe", None, "aarch64 x86_64 i686"),
    "uefi": ("pe", None, "aarch64 x86_64"),
}

_BIG, _LITTLE = "bigEndian", "littleEndian"
# CPU: (family, bits, byte order)
_CPUS: dict[str, tuple[str, int, str | None]] = {
    "aarch64": ("arm", 64, _LITTLE),
    "aarch64_be": ("arm", 64, _BIG),
    "arc": ("arc", 32, _LITTLE),
    "arm": ("arm", 32, _LITTLE),
    "armv5tel": ("arm", 32, _LITTLE),
    "armv6l": ("arm", 32, _LITTLE),
    "armv7a": ("arm", 32, _LITTLE),
    "armv7l": ("arm", 32, _LITTLE),
    "avr": ("avr", 8, None),
    "i686": ("x86", 32, _LITTLE),
    "javascript": ("javascript", 32, _LITTLE),
    "loongarch64": ("loongarch", 64, _LITTLE),
    "m68k": ("m68k", 32, _BIG),
    "microblaze": ("microblaze", 32, _BIG),
    "microblazeel": ("microblaze", 32, _LITTLE),
    "mips": ("mips", 32, _BIG),
    "mips64": ("mips", 64, _BIG),
    "mips64el": ("mips", 64, _LITTLE),
    "mipsel": ("mips", 32, _LITTLE),
    "mmix": ("mmix", 64, _BIG),
    "msp430": ("msp430", 16, _LITTLE),
    "or1k": ("or1k", 32, _BIG),
    "powerpc": ("power", 32, _BIG),
    "powerpc64": ("power", 64, _BIG),
    "powerpc64le": ("power", 64, _LITTLE),
    "powerpcle": ("power", 32, _LITTLE),
    "riscv32": ("riscv", 32, _LITTLE),
    "riscv64": ("riscv", 64, _LITTLE),
    "rx": ("rx", 32, _LITTLE),
    "s390": ("s390", 32, _BIG),
    "s390x": ("s390", 64, _BIG),
    "sh4": ("sh", 32, _LITTLE),
    "vc4": ("vc4", 32, _LITTLE),
    "wasm32": ("wasm", 32, _LITTLE),
    "wasm64": ("wasm", 64, _LITTLE),
    "x86_64": ("x86", 64, _LITTLE),
}
_ARM_VERSIONS = {
    "aarch64": "8",
    "aarch64_be": "8",
    "armv5tel": "5",
    "armv6l": "6",
    "armv7a": "7",
    "armv7l": "7",
}
_STATIC_KERNELS = frozenset({"redox", "wasi"})


def _abi(cpu: str, kernel: str) -> dict[str, object]:
    """Return the ABI that `mkSystemFromSkeleton` gives a double that names none."""
    if kernel not in {"linux", "windows"}:
        return {"name": "unknown"}
    family, bits, order = _CPUS[cpu]
    if (family, bits) == ("arm", 32):
        hard = _ARM_VERSIONS.get(cpu, "0") >= "6"
        return {
            "name": "gnueabihf" if hard else "gnueabi",
            "eabi": True,
            "float": "hard" if hard else "soft",
        }
    if (family, bits, order) == ("power", 64, _BIG):
        return {"name": "gnuabielfv2", "abi": "elfv2"}
    return {"name": "gnu"}


def _platform(cpu: str, kernel: str) -> dict[str, object]:
    family, bits, order = _CPUS[cpu]
    exec_format, kernel_family, _ = _KERNELS[kernel]
    parsed_cpu: dict[str, object] = {"name": cpu, "family": family, "bits": bits}
    if order is not None:
        parsed_cpu["significantByte"] = {"name": order}
    if cpu in _ARM_VERSIONS:
        parsed_cpu["version"] = _ARM_VERSIONS[cpu]
    return {
        "isStatic": kernel in _STATIC_KERNELS,
        "parsed": {
            "cpu": parsed_cpu,
            "vendor": {"name": {"darwin": "apple", "windows": "pc"}.get(kernel, "unknown")},
            "kernel": {
                "name": kernel,
                "execFormat": {"name": exec_format},
                "families": {kernel_family: {"name": kernel_family}} if kernel_family else {},
            },
            "abi": _abi(cpu, kernel),
        },
    }


_PLATFORMS = {
    f"{cpu}-{kernel}": _platform(cpu, kernel)
    for kernel, (_, _, cpus) in _KERNELS.items()
    for cpu in cpus.split()
}

SYSTEMS: tuple[str, ...] = tuple(_PLATFORMS)
"""`lib.platforms.all`: every system name that a pattern can stand for."""


def resolve_platforms(value: object) -> tuple[str, ...]:
    """Return the system names a `platforms` or `badPlatforms` value stands for, each once.

    Names are kept as written, also those nixpkgs does not list: it compares them as text, too.

    Raises:
        ValueError: the value is no system name, pattern, or list of those.
    """
    elements = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(system for element in elements for system in _resolve(element)))


def _resolve(element: object) -> tuple[str, ...]:
    if isinstance(element, str):
        return (element,)
    if isinstance(element, Mapping):
        pattern = element if "parsed" in element else {"parsed": element}
        return tuple(name for name, known in _PLATFORMS.items() if _matches(pattern, known))
    raise ValueError(f"expected system names and patterns, found {element!r:.60}")


def _matches(pattern: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Tell whether all attributes of the pattern are there and equal, as `lib.matchAttrs` does."""
    for name, wanted in pattern.items():
        if name not in attributes:
            return False
        found = attributes[name]
        if isinstance(wanted, Mapping) and isinstance(found, Mapping):
            if not _matches(wanted, found):
                return False
        elif wanted != found:
            return False
    return True
