"""Runs two channels over one bucket, in random order, at once and one slower than the other.

However they meet, no text is paid for twice, no run ends but in words, and in the end every text
has a vector.

Example: PYTHONPATH=src:tests python tests/campaigns/channels.py --count 20
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.kills import aws_servers, bedrock_variables
from campaigns.steps import steps
from fdnix import pipeline
from fdnix.database.connection import connect, count
from fdnix.errors import UnfinishedError
from fdnix.settings import load_settings
from support.catalogues import entries, entry, write_catalogue

if TYPE_CHECKING:
    from fdnix.settings import Settings
    from support.bedrock_server import BedrockServer

_SHARED = 150
_OWN = 130
_NEW = 40
_BATCH_SIZE = 120
_NIGHTS = 2
_SECONDS = 120
_WAYS = ("one after the other", "at once", "one slower")


@dataclass
class Outcome:
    """What a campaign found: what was wrong with each schedule that went wrong."""

    schedules: int = 0
    faults: list[str] = field(default_factory=list)
    unfinished: int = 0
    """Runs that ended as unfinished, and were taken up by another."""
    paid: int = 0
    """Texts that were paid for."""


def channels(directory: Path, variables: dict[str, str]) -> list[Settings]:
    """Two databases over one bucket, in which nothing is yet."""
    made = []
    for name in ("a", "b"):
        at = directory / name
        at.mkdir(parents=True)
        keys = {f"DUCKDB_{kind}_KEY": f"{name}/{kind}.duckdb" for kind in ("DATA", "MINIFIED")}
        made.append(
            load_settings(
                {**variables, **keys},
                nixpkgs_source=str(write_catalogue(at / "packages.json", {})),
                output_path=at / "fdnix-data.duckdb",
                output_minified_path=at / "fdnix.duckdb",
                bedrock_batch_size=_BATCH_SIZE,
            )
        )
    return made


def _night(channel: Settings, number: int) -> int:
    """Have the channel's catalogue be that of a night: how many texts are in it."""
    source = Path(channel.nixpkgs_source)
    own = [f"{source.parent.name}{n}" for n in range(_OWN + _NEW * number)]
    packages = entries(_SHARED + _NEW * number)
    packages |= {name: entry(name, description=f"Of one alone: {name}") for name in own}
    write_catalogue(source, packages)
    return len(packages)


def _run(channel: Settings, outcome: Outcome) -> bool:
    """Whether the run came to its end."""
    try:
        pipeline.run(channel.replace(processing_mode="metadata"))
        pipeline.run(channel.replace(processing_mode="embedding"))
    except UnfinishedError:
        outcome.unfinished += 1
        return False
    return True


def _to_the_end(channel: Settings, outcome: Outcome) -> None:
    deadline = time.monotonic() + _SECONDS
    while not _run(channel, outcome):
        assert time.monotonic() < deadline, "it never ends"


def _meet(
    both: list[Settings], bedrock: BedrockServer, chance: random.Random, outcome: Outcome
) -> str:
    """Run both channels in one way, perhaps in vain: the way."""
    way = chance.choice(_WAYS)
    bedrock.faults.hold = chance.random() < 1 / 3
    waits = [chance.choice([0.1, 0.5, 2.0]) for _ in both]
    tried = [
        channel.replace(bedrock_max_wait_time=wait)
        for channel, wait in zip(both, waits, strict=True)
    ]
    chance.shuffle(tried)
    if way == "one slower":
        tried[1] = tried[1].replace(bedrock_poll_interval=chance.uniform(0.3, 1))
    workers = 1 if way == "one after the other" else 2
    with ThreadPoolExecutor(workers) as pool:
        runs = [pool.submit(_run, channel, outcome) for channel in tried]
    for each in runs:
        each.result()
    bedrock.faults.hold = False
    return f"{way}, waiting for {waits}"


def schedule(
    both: list[Settings], bedrock: BedrockServer, chance: random.Random, outcome: Outcome
) -> None:
    """Run both channels for some nights, and note what was wrong in the end."""
    bedrock.charged.clear()
    ways = []
    try:
        for night in range(_NIGHTS):
            texts = [_night(channel, night) for channel in both]
            ways.append(_meet(both, bedrock, chance, outcome))
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda channel: _to_the_end(channel, outcome), both))
        for channel, expected in zip(both, texts, strict=True):
            with connect(channel.output_path, read_only=True) as connection:
                vectors = count(connection, "SELECT count(*) FROM embeddings")
            assert vectors == expected, f"{vectors} vectors of {expected} texts"
        twice = sum(times - 1 for times in bedrock.charged.values())
        assert not twice, f"{twice} texts were paid for twice"
    except Exception:  # noqa: BLE001 (that there is none is what is to be seen)
        outcome.faults.append(f"{'; '.join(ways)}\n{traceback.format_exc()}")
    outcome.schedules += 1
    outcome.paid += len(bedrock.charged)


def campaign(bedrock: BedrockServer, count: int, seed: int, directory: Path) -> Outcome:
    """Run `count` schedules, each over a bucket of its own."""
    chance = random.Random(seed)
    outcome = Outcome()
    for number in steps(count):
        both = channels(directory / str(number), bedrock_variables())
        schedule(both, bedrock, chance, outcome)
        sys.stderr.write(f"schedule {number}: {len(outcome.faults)} faults so far\n")
    return outcome


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20, help="how many schedules")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn by")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, aws_servers() as bedrock:
        outcome = campaign(bedrock, given.count, given.seed, Path(directory))
    print("\n".join(outcome.faults))
    print(
        f"{outcome.schedules} schedules: {len(outcome.faults)} went wrong; {outcome.paid:,} texts "
        f"paid for, {outcome.unfinished} runs taken up by another"
    )
    sys.exit(bool(outcome.faults))


if __name__ == "__main__":
    main()
