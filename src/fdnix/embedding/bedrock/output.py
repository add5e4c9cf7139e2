"""What Bedrock wrote, line by line, as vectors and as reasons why a vector is missing.

The forms are those of "View the results of a batch inference job" in the Amazon Bedrock user guide:
`{"recordId": …, "modelInput": …, "modelOutput": …}` or `… "error": {"errorCode", "errorMessage"}}`,
in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fdnix.embedding.backend import Vectors
from fdnix.embedding.bedrock import titan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from numpy.typing import NDArray

CHUNK = 2_000


class _Error(msgspec.Struct, frozen=True, rename="camel"):
    error_code: int | str = ""
    error_message: str = "no message"


class _Line(msgspec.Struct, frozen=True, rename="camel"):
    record_id: str
    model_output: titan.Output | None = None
    error: _Error | None = None


class _Manifest(msgspec.Struct, frozen=True, rename="camel"):
    total_record_count: int
    success_record_count: int
    error_record_count: int = 0


@dataclass
class Reading:
    """What became of the records of one output, complete once the lines are read."""

    expected: Collection[str]
    """The ids of the records that were sent."""
    good: set[str] = field(default_factory=set)
    bad: dict[str, str] = field(default_factory=dict)
    """Record id to why its line gave no vector."""
    duplicate: int = 0
    unknown: int = 0
    malformed: int = 0

    def failures(self, missing: str) -> dict[str, str]:
        """Record id to reason, for every record without a vector; `missing` where no line came."""
        return {
            record: self.bad.get(record, missing)
            for record in self.expected
            if record not in self.good
        }

    def complaints(self, manifest: bytes | None) -> list[str]:
        """What was wrong with the output as a whole, for the log; empty when nothing was."""
        found = [
            f"{count:,} {what}"
            for count, what in (
                (self.malformed, "lines that cannot be read"),
                (self.duplicate, "lines for a record that already had its vector"),
                (self.unknown, "lines for records that were not sent"),
            )
            if count
        ]
        return found + self._against(manifest)

    def _against(self, manifest: bytes | None) -> list[str]:
        if manifest is None:
            return ["no manifest.json.out"]
        try:
            counts = msgspec.json.decode(manifest, type=_Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [f"a manifest.json.out that cannot be read ({error})"]
        found = []
        if counts.total_record_count != len(self.expected):
            found.append(
                f"a manifest of {counts.total_record_count:,} records where "
                f"{len(self.expected):,} were sent"
            )
        if counts.success_record_count != len(self.good):
            found.append(
                f"a manifest of {counts.success_record_count:,} vectors where "
                f"{len(self.good):,} could be read"
            )
        return found


def read_output(lines: Iterable[bytes], reading: Reading, dimensions: int) -> Iterator[Vectors]:
    """The good vectors among `lines`, at most 2,000 at once; the rest is noted in `reading`."""
    hashes: list[str] = []
    vectors: list[NDArray[np.float32]] = []
    decoder = msgspec.json.Decoder(_Line)
    for raw in lines:
        if not raw.strip():
            continue
        try:
            line = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            reading.malformed += 1
            continue
        found = _vector(line, reading, dimensions)
        if found is not None:
            hashes.append(line.record_id)
            vectors.append(found)
        if len(hashes) == CHUNK:
            yield Vectors(hashes, np.stack(vectors))
            hashes, vectors = [], []
    if hashes:
        yield Vectors(hashes, np.stack(vectors))


def _vector(line: _Line, reading: Reading, dimensions: int) -> NDArray[np.float32] | None:
    record = line.record_id
    if record in reading.good:
        reading.duplicate += 1
        return None
    if record not in reading.expected:
        reading.unknown += 1
        return None
    if line.error is not None:
        reading.bad[record] = f"{line.error.error_code}: {line.error.error_message}"
        return None
    if line.model_output is None:
        reading.bad[record] = "the line holds neither a vector nor an error"
        return None
    try:
        vector = titan.vector(line.model_output, dimensions)
    except titan.VectorError as error:
        reading.bad[record] = str(error)
        return None
    reading.good.add(record)
    return vector
