"""The command that serves pages and API."""

from __future__ import annotations

from pathlib import Path

import click

from fdnix.errors import SettingsError


@click.command("serve")
@click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    envvar="OUTPUT_MINIFIED_PATH",
    default="/out/fdnix.duckdb",
    help="The minified database. [OUTPUT_MINIFIED_PATH]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port; 0 takes any that is free.",
)
def serve_command(*, database: Path, host: str, port: int) -> None:
    """Serve the search to browsers and programs, until Ctrl-C.

    A new file that is renamed over the database is taken over without a failed request.

    \b
    Example: fdnix serve --db out/fdnix.duckdb
    """
    try:
        from fdnix.web.server import serve  # noqa: PLC0415 (of the extra `web`)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("fdnix"):
            raise
        raise SettingsError(
            f"this needs {error.name}, which is not installed: pip install 'fdnix[web]'"
        ) from error
    serve(database, host, port, ready=lambda url: click.echo(f"fdnix: serving {database} at {url}"))
