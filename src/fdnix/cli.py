"""The command line: one command a verb, each a thin skin over the library."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import click

import fdnix
from fdnix.console import set_up_logging, stderr, stdout
from fdnix.errors import FdnixError, SettingsError
from fdnix.settings import EmbeddingProvider, ProcessingMode, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from fdnix.settings import Settings

_OF_THE_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
)
_DEFECT = "This is a defect of fdnix. Please report it with the lines above."


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli.main(args=arguments, prog_name="fdnix", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 (each has its exit code)
        sys.exit(_exit_code(error))
    sys.exit(0)


def _exit_code(error: BaseException) -> int:
    """The exit code for what ended a command, after telling the user about it."""
    # A signal that comes while DuckDB is at work surfaces as DuckDB's error, caused by ours.
    if isinstance(error.__cause__, KeyboardInterrupt | SystemExit):
        error = error.__cause__
    code = 1
    match error:
        case SystemExit(code=int(code)) | click.exceptions.Exit(exit_code=int(code)):
            pass
        case click.ClickException():
            error.show()
            code = error.exit_code
        case click.Abort() | KeyboardInterrupt():
            stderr.print("fdnix: stopped")
            code = 130
        case FdnixError():
            _say(error)
            code = error.exit_code
        case BrokenPipeError():
            # The reader of our output has gone, as in `fdnix search … | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        case OSError() if error.errno in _OF_THE_DISK:
            _say(error)
            code = SettingsError.exit_code
        case _:
            traceback.print_exception(error)
            stderr.print(_DEFECT)
    return code


def _say(error: Exception) -> None:
    stderr.print(f"fdnix: {error}", style="red", markup=False, highlight=False, soft_wrap=True)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Unwinds the stack, so that child processes end and temporary files go.
    sys.exit(128 + signal.SIGTERM)


def _setting(name: str, flag: str, **attributes: Any) -> Callable[[Any], Any]:
    """An option that overrides the setting `name`, whose environment variable its help names."""
    text = attributes.pop("help")
    return click.option(flag, name, help=f"{text} [{name.upper()}]", default=None, **attributes)


_source_options = (
    _setting("nixpkgs_source", "--source", help="auto, nix-env, channel, sample, a file or -."),
    _setting("nixpkgs_channel", "--channel", help="The channel to download."),
    _setting("nixpkgs_path", "--nixpkgs", help="The nixpkgs that nix-env evaluates."),
    _setting("force_metadata", "--force", is_flag=True, help="Index an unchanged catalogue too."),
)
_full_option = _setting(
    "output_path", "--output", type=click.Path(path_type=Path), help="The full database."
)
# What embedding and minifying work on: an option must win over DUCKDB_PATH too.
_worked_on_option = _setting(
    "duckdb_path",
    "--output",
    type=click.Path(path_type=Path),
    help="The full database; else OUTPUT_PATH.",
)
_minified_option = _setting(
    "output_minified_path",
    "--minified",
    type=click.Path(path_type=Path),
    help="The minified database.",
)
_embedding_options = (
    _setting(
        "embedding_provider",
        "--provider",
        type=click.Choice(get_args(EmbeddingProvider)),
        help="Where vectors come from.",
    ),
    _setting("force_rebuild_embeddings", "--rebuild", is_flag=True, help="Embed every text again."),
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(fdnix.__version__, prog_name="fdnix")
@click.option("-v", "--verbose", is_flag=True, help="Log what helps to find a defect.")
def cli(*, verbose: bool) -> None:
    """Turn nixpkgs into one search index: a DuckDB file with full text and vectors.

    Every option is an environment variable too, named in its help in square brackets.

    \b
    Example: fdnix demo
             fdnix run --source packages.json.br --output out/fdnix-data.duckdb \\
                       --minified out/fdnix.duckdb
             fdnix search --db out/fdnix.duckdb terminal file manager with previews
    """
    set_up_logging(verbose=verbose)


@cli.command("run")
@_setting(
    "processing_mode",
    "--mode",
    type=click.Choice(get_args(ProcessingMode)),
    help="The phases to run.",
)
@_options(*_source_options, _full_option, _minified_option, *_embedding_options, _json_option)
def run_command(*, as_json: bool, **overrides: object) -> None:
    """Run the phases that PROCESSING_MODE names: all three by default.

    \b
    Example: fdnix run --source sample --output out/fdnix-data.duckdb \\
                       --minified out/fdnix.duckdb
    """
    _run(load_settings(os.environ, **overrides), as_json=as_json)


@cli.command("metadata")
@_options(*_source_options, _full_option, _json_option)
def metadata_command(*, as_json: bool, **overrides: object) -> None:
    """Index the catalogue: write the full database.

    \b
    Example: fdnix metadata --source channel --channel nixos-unstable --output fdnix-data.duckdb
    """
    _run(load_settings(os.environ, **overrides, processing_mode="metadata"), as_json=as_json)


@cli.command("embed")
@_options(_worked_on_option, *_embedding_options, _json_option)
@click.option("--dry-run", is_flag=True, help="Say what it would send and cost; send nothing.")
def embed_command(*, dry_run: bool, as_json: bool, **overrides: object) -> None:
    """Give every distinct text of the full database a vector.

    \b
    Example: fdnix embed --output fdnix-data.duckdb
             fdnix embed --output fdnix-data.duckdb --provider bedrock --dry-run
    """
    settings = load_settings(os.environ, **overrides, processing_mode="embedding")
    if not dry_run:
        _run(settings, as_json=as_json)
        return
    from fdnix import pipeline, show  # noqa: PLC0415 (DuckDB and Arrow are slow to import)

    estimate = pipeline.estimate_embedding(settings)
    show.as_json(estimate) if as_json else show.estimate_table(estimate)


@cli.command("minify")
@_options(_worked_on_option, _minified_option, _json_option)
def minify_command(*, as_json: bool, **overrides: object) -> None:
    """Derive the minified database from the full one.

    \b
    Example: fdnix minify --output fdnix-data.duckdb --minified fdnix.duckdb
    """
    _run(load_settings(os.environ, **overrides, processing_mode="minified"), as_json=as_json)


@cli.command("search")
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, help="How many to show.")
@click.option("--offset", type=click.IntRange(0), default=0, help="How many to pass over.")
@click.option("--platform", help="Only what runs on this system, such as aarch64-darwin.")
@click.option("--set", "attribute_set", help="Only this attribute set.")
@click.option("--license", help="Only where the licence expression holds this.")
@click.option("--maintainer", help="Only what this maintainer or team looks after.")
@click.option("--free", "free_only", is_flag=True, help="Only free software.")
@click.option("--hide-broken", is_flag=True, help="Nothing marked broken.")
@click.option("--hide-insecure", is_flag=True, help="Nothing with known vulnerabilities.")
@click.option("--hide-unavailable", is_flag=True, help="Nothing that nixpkgs refuses to build.")
@click.option("--explain", is_flag=True, help="Show what the scores are made of.")
@_setting(
    "output_minified_path", "--db", type=click.Path(path_type=Path), help="The minified database."
)
@_json_option
def search_command(
    *,
    text: tuple[str, ...],
    limit: int,
    offset: int,
    output_minified_path: Path | None,
    explain: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Search the minified database for TEXT.

    TEXT may hold filters (license:mit maintainer:NAME set:python313Packages
    platform:x86_64-linux is:free is:working is:secure is:available), "quoted phrases" and, after
    a --, -words that must not occur.

    \b
    Example: fdnix search --db out/fdnix.duckdb terminal file manager with previews
             fdnix search --db out/fdnix.duckdb --free -- editor license:mit -vim
    """
    from fdnix import show  # noqa: PLC0415 (DuckDB and Arrow are slow to import)
    from fdnix.search import Filters, SearchIndex  # noqa: PLC0415

    # A search is not kept from its work by what the environment says of runs.
    read = {name: os.environ.get(name, "") for name in ("OUTPUT_MINIFIED_PATH", "AWS_REGION")}
    settings = load_settings(read, output_minified_path=output_minified_path)
    with SearchIndex.open(settings.output_minified_path, aws_region=settings.aws_region) as index:
        results = index.search(
            " ".join(text), limit=limit, offset=offset, filters=Filters(**filters)
        )
    show.as_json(results) if as_json else show.search_results(results, explain=explain)


@cli.command("info")
@click.argument("database", type=click.Path(path_type=Path))
@_json_option
def info_command(*, database: Path, as_json: bool) -> None:
    """Show what a full or minified database holds.

    \b
    Example: fdnix info out/fdnix.duckdb
    """
    from fdnix import show  # noqa: PLC0415 (DuckDB and Arrow are slow to import)

    info = show.database_info(database)
    show.as_json(info) if as_json else show.info_tables(info)


@cli.command("snapshots")
@_json_option
def snapshots_command(*, as_json: bool) -> None:
    """List the databases that earlier runs left in S3, newest first.

    \b
    Example: DUCKDB_MINIFIED_KEY='nightly/{date}/fdnix.duckdb' fdnix snapshots
    """
    from fdnix import show  # noqa: PLC0415 (DuckDB and Arrow are slow to import)
    from fdnix.artifacts import s3  # noqa: PLC0415

    listed = s3.snapshots(load_settings(os.environ))
    show.as_json(listed) if as_json else show.snapshot_table(listed)


@cli.command("rollback")
@click.argument("snapshot")
@_json_option
def rollback_command(*, snapshot: str, as_json: bool) -> None:
    """Make an earlier SNAPSHOT, by its name in `fdnix snapshots`, the latest.

    \b
    Example: fdnix rollback 2026-11-22
    """
    from fdnix import show  # noqa: PLC0415 (DuckDB and Arrow are slow to import)
    from fdnix.artifacts import s3  # noqa: PLC0415

    settings = load_settings(os.environ)
    with s3.run_lock(settings) as still_held:
        restored = s3.roll_back(settings, snapshot, still_held=still_held)
    show.as_json(restored) if as_json else show.snapshot_table([restored])


@cli.command("demo")
def demo_command() -> None:
    """Index the bundled sample into ./out and search it: no Nix, no AWS, no network.

    \b
    Example: fdnix demo
    """
    from fdnix import show  # noqa: PLC0415 (DuckDB and Arrow are slow to import)
    from fdnix.search import SearchIndex  # noqa: PLC0415

    settings = load_settings(
        {},
        nixpkgs_source="sample",
        output_path=Path("out/fdnix-data.duckdb"),
        output_minified_path=Path("out/fdnix.duckdb"),
    )
    _run(settings, as_json=False)
    with SearchIndex.open(settings.output_minified_path) as index:
        for text in ("terminal file manager with previews", "postgres", "convert heic to jpg"):
            stdout.print(f"\n[bold]$ fdnix search --db out/fdnix.duckdb {text}[/bold]")
            show.search_results(index.search(text, limit=3))


def _run(settings: Settings, *, as_json: bool) -> None:
    from fdnix import pipeline, show  # noqa: PLC0415 (DuckDB and Arrow are slow to import)

    report = pipeline.run(settings)
    if as_json:
        show.as_json(report)
    else:
        show.run_table(report)
