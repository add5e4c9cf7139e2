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
    packages = rejected = described = 0
    for row in rows:
        packages += 1
        if isinstance(row, Rejected):
            rejected += 1
        elif row.description is not None:
            described += 1
        yield row
    if rejected == packages:
        return
    described += rejected
    if not described:
        raise DataError(
            f"none of the {packages:,} packages of the catalogue has a description: it was made "
            f"without meta (`nix-env -qaP --json` needs `--meta`); {_INSIST}"
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
