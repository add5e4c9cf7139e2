"""Whether a catalogue, each entry of which may be good, is good as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fdnix.errors import DataError
from fdnix.nixpkgs.catalog import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fdnix.nixpkgs.package import Package

_INSIST = (
    "the database that was there before is unchanged; --force (FORCE_METADATA=true) indexes this "
    "catalogue all the same"
)


@dataclass(frozen=True)
class Extent:
    """How much a database says: packages, and those of them that have a description."""

    packages: int
    described: int


def plausible(
    rows: Iterable[Package | Rejected], *, standing: Extent | None, lost_limit: float
) -> Iterator[Package | Rejected]:
    """The same rows, and after the last an error where they cannot be all that there is.

    A rejected entry counts as a package with a description, and a catalogue of nothing else passes:
    what may be rejected has its own limit.

    Args:
        rows: normalised packages, and the entries that could not be.
        standing: of the database that these rows are to replace; None where there is none.
        lost_limit: the share of packages, and of descriptions, that may be gone, 0 to 1.

    Raises:
        DataError: no package has a description, or more is gone than may be.
    """
    packages = rejected = described = with_meta = 0
    for row in rows:
        packages += 1
        if isinstance(row, Rejected):
            rejected += 1
        elif row.description is not None:
            described += 1
        elif _has_meta(row):
            with_meta += 1
        yield row
    if rejected == packages:
        return
    described += rejected
    if not described:
        why = (
            f", though {with_meta:,} have other meta: what wrote it left descriptions out"
            if with_meta
            else ": it was made without meta (`nix-env -qaP --json` needs `--meta`)"
        )
        raise DataError(
            f"none of the {packages:,} packages of the catalogue has a description{why}; {_INSIST}"
        )
    if standing is None:
        return
    for what, before, now in (
        ("packages", standing.packages, packages),
        ("descriptions", standing.described, described),
    ):
        if before - now > lost_limit * before:
            raise DataError(
                f"the catalogue has {now:,} {what} where the database that stands has {before:,}; "
                f"{1 - now / before:.0%} of them would be gone, more than the {lost_limit:.0%} "
                f"that LOST_LIMIT allows; {_INSIST}"
            )


def _has_meta(package: Package) -> bool:
    """Whether anything is known of a package that only its meta says."""
    flags = (package.available, package.broken, package.insecure, package.unfree)
    return (
        any(flag is not None for flag in flags)
        or package.platforms is not None
        or any((package.homepages, package.licenses, package.maintainers, package.position))
    )
