"""A newcomer's way: every block of README.md and docs/ does what the page says of it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tarfile
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import brotli
import duckdb
import httpx
import pytest
from packaging.requirements import Requirement

from fdnix.cli import cli
from fdnix.database.connection import extension_file
from fdnix.settings import load_settings
from support.catalogues import entries, write_catalogue
from support.channel_server import serve
from support.docs import ROOT, STAND_INS, Block, Newcomer, blocks, newcomer
from support.nix import PROJECT, evaluate, needs_nix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.bedrock_server import BedrockServer

BLOCKS = blocks()
LANGUAGES = {"sh", "sql", "python", "nix", "json", "toml", "insights", "text"}
ON_AWS = [block for block in BLOCKS if re.search(r"^\s*aws ", block.text, re.MULTILINE)]
TRIAL = next(block for block in BLOCKS if "support.local_aws" in block.text)
needs_aws = pytest.mark.skipif(shutil.which("aws") is None, reason="aws is not installed")


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


@pytest.fixture(scope="module")
def user(minified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A newcomer whose channel has the packages and the tree of the bundled sample."""
    nixpkgs = ROOT / "src" / "fdnix" / "nixpkgs"
    packages = json.loads((nixpkgs / "sample.json").read_text(encoding="utf-8"))
    catalogue = json.dumps({"version": 2, "packages": packages}).encode()
    tree = BytesIO()
    with tarfile.open(fileobj=tree, mode="w:xz") as tar:
        tar.add(nixpkgs / "sample_tree", "nixos-1")
    with serve(brotli.compress(catalogue, quality=1)) as channel:
        channel.tree = tree.getvalue()
        yield newcomer(tmp_path_factory.mktemp("newcomer"), minified, channel.url)


def test_every_block_is_of_a_language_that_a_test_here_reads() -> None:
    assert {str(block) for block in BLOCKS if block.language not in LANGUAGES} == set()
    assert [str(block) for block in of("text") if "──▶" not in block.text] == []


SHELL = [block for block in of("sh") if block.page != "aws.md" and block not in ON_AWS]


@pytest.mark.parametrize("page", sorted({block.page for block in SHELL}))
def test_the_commands_of_a_page_run_in_its_order(page: str, user: Newcomer) -> None:
    prelude = ""
    if page == "operations.md":
        # As the page says: `run` as in container.md.
        prelude = "cp deploy/iam/example.env fdnix.env\n" + next(
            line
            for block in BLOCKS
            for line in block.text.splitlines()
            if line.startswith("run() {")
        )
    said = user.shell([block for block in SHELL if block.page == page], prelude)
    assert "WARNING" not in said
    for program, *arguments in user.calls():
        CHECKS[program](user, arguments)


def check_pip(_user: Newcomer, arguments: list[str]) -> None:
    install, word = arguments
    requirement = Requirement(word)
    assert (install, requirement.name) == ("install", PROJECT["name"])
    assert requirement.extras <= set(PROJECT["optional-dependencies"])


def check_docker(user: Newcomer, arguments: list[str]) -> None:
    """The client knows the options; the image takes the settings and the command."""
    if shutil.which("docker") and arguments[0] != "compose":
        ended = user.run([shutil.which("docker") or "", *arguments], DOCKER_HOST="unix:///none")
        assert "annot connect to the Docker daemon" in ended.stderr, (arguments, ended.stderr)
    if arguments[0] in {"build", "compose"}:
        assert (user.folder / arguments[arguments.index("--file") + 1]).is_file()
        return
    environment: dict[str, str] = {}
    for option, value in pairwise(arguments):
        if option == "--env-file":
            lines = (user.folder / value).read_text().splitlines()
            environment |= dict(line.split("=", 1) for line in lines if line[:1] not in {"", "#"})
        elif option == "--env":
            name, _, environment[name] = value.partition("=")
    given = {name: value for name, value in environment.items() if name != "AWS_PROFILE"}
    # A name that is none is warned of; a value that is none is refused.
    assert {name.lower() for name in given} <= set(type(load_settings({})).model_fields)
    image = next(n for n, word in enumerate(arguments) if re.fullmatch(r"fdnix(:\w+)?", word))
    match arguments[image + 1 :]:
        case []:
            settings = load_settings({"NIXPKGS_SOURCE": "sample", **given})
            # The first run on AWS: nobody was told yet how to make the function.
            assert not (settings.layer_function and "AWS_PROFILE" in environment)
        case ["python", "src/index.py", *rest]:
            check_fdnix(rest)
        case other:
            pytest.fail(f"{other} is no command of the image")


def check_fdnix(words: list[str]) -> None:
    """The command line reads `words`; nothing is run."""
    context = cli.make_context("fdnix", words[:1], resilient_parsing=True)
    name, command, rest = cli.resolve_command(context, words)
    assert command is not None, words
    command.make_context(name, rest, parent=context)


def check_nix(_user: Newcomer, arguments: list[str]) -> None:
    if "--" in arguments:
        split = arguments.index("--")
        assert arguments[0] == "run"
        assert arguments[split - 1] in {".", "github:OWNER/fdnix"}
        check_fdnix(arguments[split + 1 :])
        return
    match arguments:
        case ["shell", package]:
            assert re.fullmatch(r"nixpkgs#[\w.-]+", package)
        case ["develop"] | ["flake", "check"]:
            pass
        case _:
            pytest.fail(f"unknown: nix {arguments}")


def check_claude(user: Newcomer, arguments: list[str]) -> None:
    *_, name, separator, program, word = arguments
    assert (name, separator) == ("fdnix", "--")
    check_server(user, [program, word])


def check_server(user: Newcomer, command: list[str]) -> None:
    """The command serves assistants, until its input ends."""
    assert served(user, tuple(command)) == (0, "")


@cache
def served(user: Newcomer, command: tuple[str, ...]) -> tuple[int, str]:
    ended = user.run(command, FDNIX_DB=str(user.folder / "out" / "fdnix.duckdb"))
    return ended.returncode, ended.stdout


def check_fzf(user: Newcomer, arguments: list[str]) -> None:
    """What fzf runs for a line that is chosen is a command."""
    preview = arguments[arguments.index("--preview") + 1]
    check_fdnix(shlex.split(preview.replace("{1}", "hello"))[1:])


def check_sudo(user: Newcomer, arguments: list[str]) -> None:
    owner, directory = arguments[1:]
    assert arguments[0] == "chown"
    assert (user.folder / directory).is_dir()
    assert f"USER {owner}" in (ROOT / "deploy" / "Dockerfile.slim").read_text()


CHECKS = {
    "claude": check_claude,
    "docker": check_docker,
    "fzf": check_fzf,
    "nix": check_nix,
    "pip": check_pip,
    "sudo": check_sudo,
}


def test_what_stands_in_for_a_program_is_held_against_what_fdnix_takes() -> None:
    assert set(CHECKS) == set(STAND_INS)


@pytest.mark.parametrize("block", of("sql"), ids=str)
def test_a_block_of_sql_finds_something_at_every_statement(
    block: Block, user: Newcomer, tmp_path: Path
) -> None:
    # Stands in for DuckDB's own server of extensions.
    connection = duckdb.connect(
        config={
            "extension_directory": str(tmp_path / "installed"),
            "custom_extension_repository": str(tmp_path / "server"),
        }
    )
    [platform] = connection.execute("PRAGMA platform").fetchone() or ()
    there = tmp_path / "server" / f"v{duckdb.__version__}" / platform
    there.mkdir(parents=True)
    shutil.copy(extension_file("fts") or "", there)
    opened = "ATTACH 'out/fdnix.duckdb' AS fdnix (READ_ONLY); USE fdnix;"
    text = block.text if "ATTACH" in block.text else opened + block.text
    for statement in connection.extract_statements(text.replace("out/", f"{user.folder}/out/")):
        rows = connection.execute(statement).fetchall()
        assert rows or statement.type.name != "SELECT", statement.query


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_a_block_of_python_runs(block: Block, user: Newcomer) -> None:
    script = block.text.replace("/opt/fdnix/", "out/").replace(
        '"fdnix.duckdb"', '"out/fdnix.duckdb"'
    )
    ended = user.run(
        ["python", "-c", script],
        OUTPUT_PATH="out/fdnix-data.duckdb",
        OUTPUT_MINIFIED_PATH="out/fdnix.duckdb",
    )
    assert ended.returncode == 0, ended.stderr


@needs_nix
@pytest.mark.parametrize("block", of("nix"), ids=str)
def test_a_block_of_nix_configures_the_module(block: Block, tmp_path: Path) -> None:
    (tmp_path / "flake.nix").write_text(block.text)
    module = (
        "import (root + /nix/module.nix) (pkgs: pkgs.callPackage (root + /nix/package.nix) { })"
    )
    nixpkgs = "{ lib.nixosSystem = system: builtins.elemAt system.modules 1; }"
    made = evaluate(
        f"let flake = (import {tmp_path}/flake.nix).outputs "
        f"{{ nixpkgs = {nixpkgs}; fdnix.nixosModules.default = null; }}; in "
        f"pkgs.lib.evalModule {{ inherit pkgs; module = {module}; "
        "given = flake.nixosConfigurations.host; }"
    )
    service = made["systemd"]["services"]["fdnix"]
    assert service["environment"]["NIXPKGS_CHANNEL"] == "nixos-unstable"
    load_settings({"NIXPKGS_SOURCE": "sample"} | service["environment"])


CONFIGURATIONS = [block for block in of("json") + of("toml") if block.page == "mcp.md"]


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_an_assistant_is_told_a_command_that_serves_it(block: Block, user: Newcomer) -> None:
    read: Any = {"json": json.loads, "toml": tomllib.loads}[block.language](block.text)
    [(_, named)] = read.items()
    [(name, server)] = named.items()
    assert name == "fdnix"
    check_server(user, [server["command"], *server["args"]])


def test_the_report_and_what_monitors_it_are_those_of_a_run(user: Newcomer) -> None:
    [shown] = [block for block in of("json") if block not in CONFIGURATIONS]
    [insights] = of("insights")
    command = ["fdnix", "run", "--json", "--source", "sample"]
    paths = ["--output", "out/fdnix-data.duckdb", "--minified", "out/fdnix.duckdb"]
    report = user.run([*command, *paths]).stdout

    assert keys(json.loads(report)) == keys(json.loads(shown.text))
    [matched] = re.findall(r"like /(.*)/", insights.text)
    assert re.search(matched, report)
    for pattern, name in re.findall(r"parse @message '(.*)' as (\w+)", insights.text):
        found = re.search(re.escape(pattern).replace(r"\*", "(.*?)"), report)
        assert found, pattern
        assert found[1].isdigit(), name


def keys(report: object) -> object:
    """The keys of a JSON document, at every depth."""
    if isinstance(report, dict):
        return {name: keys(value) for name, value in report.items()}
    return None


BY_HAND = [block for block in of("sh") if block.page == "aws.md" and block != TRIAL]
STACK = [block for block in ON_AWS if block.page == "operations.md"]
# The function is made by the stack.
STACK += BY_HAND[next(n for n, one in enumerate(BY_HAND) if "bundle-function" in one.text) :]
BY_HAND = [block for block in BY_HAND if block not in STACK]


@pytest.fixture
def cloud(bedrock: BedrockServer, aws_endpoint: str) -> Iterator[dict[str, str]]:
    """The environment that leads to an AWS in which nothing is."""

    def forget() -> None:
        httpx.post(f"{aws_endpoint}/moto-api/reset").raise_for_status()

    forget()
    yield {
        "AWS_ENDPOINT_URL": aws_endpoint,
        "AWS_ENDPOINT_URL_BEDROCK": bedrock.url,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    forget()


@needs_aws
def test_the_set_up_by_hand_embeds_publishes_and_rolls_back(
    user: Newcomer, cloud: dict[str, str]
) -> None:
    words = {"2026-11-22": f"{datetime.now(UTC):%Y-%m-%d}"}
    said = user.shell(
        [replace(block, text=substituted(block.text, words)) for block in BY_HAND],
        **cloud,
        NIXPKGS_SOURCE=str(write_catalogue(user.folder / "in.json", entries(120))),
        BEDROCK_POLL_INTERVAL="0.05",
        OUTPUT_PATH="aws/fdnix-data.duckdb",
        OUTPUT_MINIFIED_PATH="aws/fdnix.duckdb",
    )
    assert "Completed, 120 done" in said
    assert "layer:fdnix-database:1 published" in said
    assert "latest/fdnix.duckdb is now" in said.rpartition("at aws.md")[2]


# moto warns of the types that it makes nothing of.
@needs_aws
@pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")
def test_the_stack_is_made_and_given_an_image_and_a_function(
    user: Newcomer, cloud: dict[str, str]
) -> None:
    assert set(ON_AWS) <= {*BY_HAND, *STACK}
    # moto cannot change a stack with lists among its parameters: it is made anew with what it has.
    kept = "SubnetIds=subnet-1,subnet-2 SecurityGroupIds=sg-1"
    words = {
        r"^( *)(aws cloudformation deploy)": r"\1begin_anew; \2",
        "--parameter-overrides(?! .*SubnetIds)": f"--parameter-overrides {kept}",
        r"BUCKET/KEY\?versionId=ID": "BUCKET/a.duckdb",
        r"\bBUCKET\b": "fdnix-artifacts",
        r"\bKEY\b": "restored.duckdb",
    }
    user.shell(
        [replace(block, text=substituted(block.text, words)) for block in STACK],
        """
        export ARTIFACTS_BUCKET=fdnix-artifacts AWS_DEFAULT_REGION=us-east-1
        begin_anew() {
            python -c "import httpx; httpx.post('$AWS_ENDPOINT_URL/moto-api/reset')"
            aws s3 mb "s3://$ARTIFACTS_BUCKET"
            aws s3 cp flake.nix "s3://$ARTIFACTS_BUCKET/a.duckdb"
        }
        """,
        **cloud,
    )
    for program, *arguments in user.calls():
        assert program == "docker"
        assert arguments[0] in {"login", "build", "push"}


def substituted(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = re.sub(word, value, text, flags=re.MULTILINE)
    return text


def test_the_trial_without_an_account_rolls_back_and_embeds_nothing_twice(user: Newcomer) -> None:
    said = user.shell([TRIAL])
    rolled_back = r"nightly/latest/fdnix\.duckdb is now s3://fdnix-local/nightly/2\S+\n$"
    assert re.search(rolled_back, said)
    assert "layer:fdnix-database:1 already has these bytes" in said
    assert "nothing to embed" in said
