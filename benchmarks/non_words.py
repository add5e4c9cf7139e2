"""What a search gives for words that nobody uses: nothing, or the few above the floor."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fdnix.database.connection import connect
from fdnix.search import SearchIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

ONSETS = [*"bcdfghjklmnprstvwz", "br", "cr", "dr", "gr", "pl", "st", "tr"]
VOWELS = "aeiou"
CODAS = ["", "", "", "", "l", "m", "n", "r", "s", "x"]
FEW = 10


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--number", default=1000, show_default=True, help="How many words are searched for.")
@click.option("--seed", default=10, show_default=True, help="Which ones.")
@click.option("--json", "as_json", is_flag=True)
def main(*, database: Path, number: int, seed: int, as_json: bool) -> None:
    """Search DATABASE for words that can be pronounced and that none of its texts holds.

    A hit is found by meaning, above the floor `fdnix_least_similarity`, or because the word is
    spelt like one that texts or names hold.
    """
    with connect(database, read_only=True) as connection:
        rows = connection.execute("SELECT word FROM main_file.search_vocabulary").fetchall()
    known = {word for (word,) in rows}
    totals: list[int] = []
    by_meaning: list[int] = []
    with SearchIndex.open(database) as index:
        for word in non_words(known, number, seed):
            results = index.search(word, limit=1000)
            totals.append(results.total)
            by_meaning.append(sum(hit.why == "similar meaning" for hit in results.hits))
    spelt = [total - meant for total, meant in zip(totals, by_meaning, strict=True)]
    report = {
        "words": number,
        "without a hit": totals.count(0),
        f"with 1 to {FEW}": sum(0 < total <= FEW for total in totals),
        f"with more than {FEW}": sum(total > FEW for total in totals),
        f"with more than {FEW} by meaning": sum(meant > FEW for meant in by_meaning),
        f"with more than {FEW} by spelling": sum(other > FEW for other in spelt),
        "most by meaning": max(by_meaning),
    }
    if as_json:
        click.echo(json.dumps(report))
    else:
        for name, value in report.items():
            click.echo(f"{name:32} {value:6,}")


def non_words(known: set[str], number: int, seed: int) -> Iterator[str]:
    """So many different words of two to four syllables that are not `known`."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    seen = set(known)
    while number:
        syllables = chance.choice([2, 3, 3, 4])
        word = "".join(chance.choice(ONSETS) + chance.choice(VOWELS) for _ in range(syllables))
        word += chance.choice(CODAS)
        if word not in seen:
            seen.add(word)
            number -= 1
            yield word


if __name__ == "__main__":
    main()
