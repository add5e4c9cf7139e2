"""What the static model learns from: texts about software, and pairs of texts on one package."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from fdnix.database.connection import connect
from fdnix.embedding.text import embedding_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

SUMMARIES = 450_000
"""How many of the summaries are learned from; more made nothing better."""

PHRASE_MIN_COUNT = 20
PHRASE_MIN_LIFT = 3.0
MAX_PHRASES = 20_000
"""Which word pairs become tokens: those seen so often, and so much more often than by chance."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n|\n\s*[-*]\s+")
_NAME_BREAK = re.compile(r"[-_.]+")
_SPAN_BREAK = re.compile(r"[^a-z0-9 ]+")
_MAX_REPEATS = 2
_FUNCTION_WORDS = frozenset((
    "a", "an", "and", "are", "as", "at", "based", "be", "by", "can", "for", "from", "in", "is",
    "it", "its", "of", "on", "or", "that", "the", "this", "to", "using", "with", "you", "your",
))  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Two texts on one package: `asked`, in other words than its embedding text, and that text.

    `namesake` is whether only the name says that both are about one package.
    """

    asked: str
    document: str
    namesake: bool


@dataclass(frozen=True)
class Package:
    """What of a package is learned from; `full` and `short` are with and without long texts."""

    attribute: str
    language: str
    description: str
    sentences: tuple[str, ...]
    full: str
    short: str


def packages(database: Path) -> list[Package]:
    """The packages with distinct embedding texts of a full database."""
    with connect(database, read_only=True) as connection:
        rows = connection.execute("""
            SELECT DISTINCT ON (content_hash)
                package_id, pname, version, main_program, description, long_description
            FROM packages ORDER BY content_hash, package_id
        """).fetchall()
    return [_package(*row) for row in rows]


def _package(
    package_id: str,
    pname: str,
    version: str | None,
    program: str | None,
    description: str | None,
    long_description: str | None,
) -> Package:
    attribute_set, _, attribute = package_id.rpartition(".")
    found = (" ".join(part.split()) for part in _SENTENCE_END.split(long_description or ""))
    return Package(
        attribute=attribute,
        language="python" if attribute_set.startswith("python3") else attribute_set,
        description=" ".join((description or "").split()),
        sentences=tuple(sentence for sentence in found if is_usable(sentence)),
        full=embedding_text(package_id, pname, version, program, description, long_description),
        short=embedding_text(package_id, pname, version, program, description, None),
    )


def is_usable(text: str) -> bool:
    """Whether a text is a phrase or a sentence, and most likely English."""
    words = len(text.split())
    letters = sum(c.isascii() and (c.isalpha() or c == " ") for c in text)
    return 3 <= words <= 40 and len(text) <= 300 and letters / len(text) > 0.8  # noqa: PLR2004


def read_summaries(path: Path) -> dict[str, str]:
    """Project names and one-line summaries: a file with a name, a tab and a summary a line."""
    lines = path.read_text(encoding="utf-8", errors="ignore").splitlines()
    rows = (line.partition("\t") for line in lines)
    return {name: summary for name, _, summary in rows if is_usable(summary)}


def texts(
    catalogue: Sequence[Package], registries: Iterable[Mapping[str, str]], seed: int = 0
) -> list[str]:
    """Distinct texts to learn from: those of the catalogue, and a sample of the summaries.

    Some summaries have the project's name before them, as embedding texts do.
    """
    choice = random.Random(seed)  # noqa: S311
    own = [text for package in catalogue for text in (package.full, package.description)]
    own += [sentence for package in catalogue for sentence in package.sentences]
    summaries = [
        summary if choice.random() < 0.6 else f"{_NAME_BREAK.sub(' ', name)}. {summary}"  # noqa: PLR2004
        for registry in registries
        for name, summary in registry.items()
    ]
    choice.shuffle(summaries)
    return list({text.lower(): text for text in [*own, *summaries[:SUMMARIES]] if text}.values())


def pairs(
    catalogue: Sequence[Package], python: Mapping[str, str], others: Sequence[Mapping[str, str]]
) -> list[Pair]:
    """What other words say of a package: its long description, and its namesake's summary.

    `python` are the summaries of Python projects, looked up for packages of the Python sets; all
    registries are for top-level packages. A text on more than two packages says nothing of one.
    """
    by_name = [{_same(name): summary for name, summary in each.items()} for each in others]
    python_by_name = {_same(name): summary for name, summary in python.items()}
    found = list(_pairs(catalogue, python_by_name, [python_by_name, *by_name]))
    repeats = Counter(pair.asked for pair in found)
    return [pair for pair in found if repeats[pair.asked] <= _MAX_REPEATS]


def _pairs(
    catalogue: Iterable[Package],
    python: Mapping[str, str],
    registries: Sequence[Mapping[str, str]],
) -> Iterator[Pair]:
    for package in catalogue:
        for sentence in package.sentences[:2]:
            yield Pair(sentence, package.short, namesake=False)
        name = _same(package.attribute)
        looked_up = {"python": [python], "": registries}.get(package.language, [])
        for summary in {registry[name] for registry in looked_up if name in registry}:
            if not _repeats(summary, package.description):
                yield Pair(summary, package.full, namesake=True)


def _same(name: str) -> str:
    return _NAME_BREAK.sub("-", name.lower())


def _repeats(one: str, other: str) -> bool:
    one, other = (" ".join(re.findall(r"\w+", text.lower())) for text in (one, other))
    return one in other or other in one


def phrases(learned: Iterable[str]) -> list[str]:
    """Pairs of words that stand together far more often than by chance, commonest first."""
    single: Counter[str] = Counter()
    double: Counter[tuple[str, str]] = Counter()
    for text in learned:
        for span in _SPAN_BREAK.split(text.lower()):
            words = span.split()
            single.update(words)
            double.update(pairwise(words))
    total = single.total()
    return [
        f"{first} {second}"
        for (first, second), count in double.most_common()
        if count >= PHRASE_MIN_COUNT
        and not {first, second} & _FUNCTION_WORDS
        and count * total > PHRASE_MIN_LIFT * single[first] * single[second]
    ][:MAX_PHRASES]
