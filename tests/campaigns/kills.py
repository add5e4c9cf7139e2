"""Ends runs over the bundled sample at random moments, and runs them again.

Whatever a signal meets, the artifacts stay whole, the run after it completes and leaves nothing
else, and no text is paid for twice but those whose answers were under way.

Example: PYTHONPATH=src:tests python tests/campaigns/kills.py --kill 300 --terminate 60 \
--interrupt 60
         PYTHONPATH=src:tests python tests/campaigns/kills.py --aws
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from campaigns.steps import steps
from fdnix import pipeline
from fdnix.aws import aws_client
from fdnix.embedding.bedrock.on_demand import WORKERS
from fdnix.errors import UnfinishedError
from fdnix.settings import load_settings
from support import bedrock_server
from support.artifacts import run_arguments, verify
from support.bedrock_server import BedrockServer
from support.moto_server import MotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fdnix.settings import Settings

ROOT = Path(__file__).parents[2]
# A signal that asks to stop comes at a moment of calm, or one in which DuckDB is at work.
_ENDS = {
    signal.SIGKILL: {-signal.SIGKILL},
    signal.SIGTERM: {128 + signal.SIGTERM, -signal.SIGTERM},
    signal.SIGINT: {128 + signal.SIGINT, -signal.SIGINT},
}
_LOCK_SECONDS = 3
_BATCH_SIZE = 250


@dataclass
class Outcome:
    """What a campaign found: numbers of runs, and what was wrong with each that went wrong."""

    runs: int = 0
    ended_before: int = 0
    """Runs that were done when the signal came."""
    harmed: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    paid_twice: list[str] = field(default_factory=list)
    under_way: int = 0
    """Texts that were paid for twice since their answers were under way."""

    @property
    def faults(self) -> list[str]:
        """What was wrong, run by run."""
        return self.harmed + self.leftovers + self.paid_twice


@dataclass(frozen=True)
class Place:
    """Where runs work: on this machine alone, or with a Bedrock and an S3 of their own too."""

    directory: Path
    """Of the catalogue, and of the artifacts that each run begins with."""
    catalogue: Path
    before: int
    packages: int
    bedrock: BedrockServer | None = None


@contextmanager
def place(*, aws: bool) -> Iterator[Place]:
    """Yield a place whose artifacts are of nine tenths of the sample."""
    sample: dict[str, Any] = json.loads(
        (resources.files("fdnix.nixpkgs") / "sample.json").read_bytes()
    )
    packages = sample.get("packages", sample)
    most = {name: entry for n, (name, entry) in enumerate(packages.items()) if n % 10}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bedrock = stack.enter_context(aws_servers()) if aws else None
        (directory / "before").mkdir()
        catalogue = directory / "packages.json"
        catalogue.write_text(json.dumps(most))
        # Vectors of the local model, which Bedrock's take the place of, cost nothing.
        pipeline.run(_local(directory / "before", catalogue))
        catalogue.write_text(json.dumps(packages))
        yield Place(directory, catalogue, len(most), len(packages), bedrock)


@contextmanager
def aws_servers() -> Iterator[BedrockServer]:
    """Yield a Bedrock, and have boto3 be led to it and to an S3 of its own."""
    moto = MotoServer()
    moto.start()
    bedrock = BedrockServer(moto.url)
    bedrock.start()
    os.environ.update(
        AWS_ENDPOINT_URL=moto.url,
        AWS_ENDPOINT_URL_BEDROCK=bedrock.url,
        AWS_ENDPOINT_URL_BEDROCK_RUNTIME=bedrock.url,
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",
        AWS_EC2_METADATA_DISABLED="true",
    )
    try:
        yield bedrock
    finally:
        bedrock.stop()
        moto.stop()


def _local(at: Path, catalogue: Path, **overrides: object) -> Settings:
    return load_settings(
        {},
        nixpkgs_source=str(catalogue),
        output_path=at / "fdnix-data.duckdb",
        output_minified_path=at / "fdnix.duckdb",
        **overrides,
    )


def bedrock_variables() -> dict[str, str]:
    """The settings of a run that uses Bedrock and a new bucket."""
    bucket = f"fdnix-{uuid.uuid4().hex[:12]}"
    aws_client("s3", bedrock_server.REGION).create_bucket(Bucket=bucket)
    return {
        "AWS_REGION": bedrock_server.REGION,
        "ARTIFACTS_BUCKET": bucket,
        "DUCKDB_DATA_KEY": "fdnix-data.duckdb",
        "DUCKDB_MINIFIED_KEY": "fdnix.duckdb",
        "ARTIFACT_LOCK_SECONDS": str(_LOCK_SECONDS),
        "BEDROCK_ROLE_ARN": f"arn:aws:iam::{bedrock_server.ACCOUNT}:role/fdnix-bedrock-batch",
        "BEDROCK_POLL_INTERVAL": "0.05",
        "BEDROCK_BATCH_SIZE": str(_BATCH_SIZE),
        "REPLACE_EMBEDDINGS": "true",
    }


def campaign(where: Place, signals: list[signal.Signals], seed: int) -> Outcome:
    """End a run with each of `signals` in turn, at moments spread over what a run takes."""
    chance = random.Random(seed)
    outcome = Outcome()
    # How long an undisturbed run takes, and what it leaves.
    variables = bedrock_variables() if where.bedrock else {}
    first = where.directory / "first"
    shutil.copytree(where.directory / "before", first)
    began = time.monotonic()
    subprocess.run(_command(first, where), env=_environment(variables), check=True)
    seconds = time.monotonic() - began
    usual = _left(first, variables)
    shutil.rmtree(first)
    for number in steps(len(signals)):
        sent = signals[number]
        at = where.directory / f"run-{number}"
        shutil.copytree(where.directory / "before", at)
        variables = bedrock_variables() if where.bedrock else {}
        if where.bedrock:
            where.bedrock.charged.clear()
        moment = chance.uniform(0, seconds)
        what = f"run {number}, {sent.name} after {moment:.2f} s of {seconds:.2f}"
        try:
            _end_one(where, at, variables, sent, moment, outcome)
            verify(_local(at, where.catalogue), packages={where.before, where.packages})
            seconds = (4 * seconds + _run_again(at, where, variables)) / 5
            verify(_local(at, where.catalogue), packages={where.packages})
        except Exception:  # noqa: BLE001 (that there is none is what is to be seen)
            outcome.harmed.append(f"{what}\n{traceback.format_exc()}")
        if unusual := _left(at, variables) ^ usual:
            outcome.leftovers.append(f"{what}: {sorted(unusual)}")
        if where.bedrock:
            _note_bill(where.bedrock, what, outcome)
        shutil.rmtree(at)
        sys.stderr.write(f"{what}: {len(outcome.faults)} faults so far\n")
    return outcome


def _command(at: Path, where: Place) -> list[str]:
    return [sys.executable, "-m", "fdnix", *run_arguments(_local(at, where.catalogue))]


def _environment(variables: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), **variables}


def _end_one(
    where: Place,
    at: Path,
    variables: dict[str, str],
    sent: signal.Signals,
    moment: float,
    outcome: Outcome,
) -> None:
    """Begin a run, and send it a signal after `moment` seconds."""
    with subprocess.Popen(
        _command(at, where),
        env=_environment(variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Who stops the campaign does not stop the run.
        process_group=0,
    ) as process:
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
        assert process.stderr
        said = process.stderr.read()
    outcome.runs += 1
    outcome.ended_before += process.returncode == 0
    assert process.returncode in {0, *_ENDS[sent]}, (process.returncode, said)
    assert "Traceback" not in said, said


def _run_again(at: Path, where: Place, variables: dict[str, str]) -> float:
    """Run to the end, waiting for the lock of the run that was killed: the seconds it took."""
    settings = load_settings(
        variables,
        nixpkgs_source=str(where.catalogue),
        output_path=at / "fdnix-data.duckdb",
        output_minified_path=at / "fdnix.duckdb",
    )
    deadline = time.monotonic() + 60
    while True:
        began = time.monotonic()
        try:
            report = pipeline.run(settings)
        except UnfinishedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
            continue
        assert report.minified
        assert report.embedding
        assert report.embedding.failed == 0
        assert report.minified.vectors == report.embedding.distinct_texts
        return time.monotonic() - began


def _left(at: Path, variables: dict[str, str]) -> set[str]:
    """The files, and the objects in S3 but finished vectors and snapshots, which each have a name
    of their own.
    """
    found = {path.name for path in at.iterdir()}
    if bucket := variables.get("ARTIFACTS_BUCKET"):
        s3 = aws_client("s3", bedrock_server.REGION)
        listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        found |= {key for key in listed if "/vectors/" not in key and "snapshots/" not in key}
    return found


def _note_bill(bedrock: BedrockServer, what: str, outcome: Outcome) -> None:
    again = sum(times - 1 for times in bedrock.charged.values())
    outcome.under_way += again
    if again > WORKERS:
        outcome.paid_twice.append(f"{what}: {again} texts")


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kill", type=int, default=300, help="how many runs end by SIGKILL")
    parser.add_argument("--terminate", type=int, default=60, help="how many end by SIGTERM")
    parser.add_argument("--interrupt", type=int, default=60, help="how many end by SIGINT")
    parser.add_argument("--aws", action="store_true", help="with Bedrock and S3, emulated here")
    parser.add_argument("--seed", type=int, default=1, help="what the moments are drawn by")
    given = parser.parse_args()
    signals = (
        [signal.SIGKILL] * given.kill
        + [signal.SIGTERM] * given.terminate
        + [signal.SIGINT] * given.interrupt
    )
    random.Random(given.seed).shuffle(signals)
    with place(aws=given.aws) as where:
        outcome = campaign(where, signals, given.seed)
    print("\n".join(outcome.faults))
    print(
        f"{outcome.runs} runs, {outcome.ended_before} of them done before the signal: "
        f"{len(outcome.harmed)} harmed, {len(outcome.leftovers)} with leftovers, "
        f"{len(outcome.paid_twice)} that paid twice; {outcome.under_way} answers under way"
    )
    sys.exit(bool(outcome.faults))


if __name__ == "__main__":
    main()
