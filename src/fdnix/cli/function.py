"""The command that makes the Lambda function's bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fdnix.artifacts.lambda_function import bundle_function
from fdnix.cli import render
from fdnix.cli.options import JSON_OPTION
from fdnix.settings import load_settings

if TYPE_CHECKING:
    from fdnix.artifacts.lambda_function import Runtime
    from fdnix.artifacts.lambda_layer import Architecture


@click.command("bundle-function")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["python3.11", "python3.12", "python3.13"]),
    default="python3.13",
    show_default=True,
    help="The function's runtime.",
)
@click.option(
    "--architecture",
    type=click.Choice(["x86_64", "arm64"]),
    default="arm64",
    show_default=True,
    help="The function's architecture.",
)
@JSON_OPTION
def bundle_function_command(
    *, output: Path, runtime: Runtime, architecture: Architecture, as_json: bool
) -> None:
    """Write the zip of the Lambda function that searches the layer to OUTPUT.

    It is made of wheels for the function's runtime, whatever this machine is. Its handler is
    fdnix.web.lambda_handler.handler.

    \b
    Example: fdnix bundle-function fdnix-function.zip --architecture arm64
    """
    room = load_settings(os.environ).layer_function_bytes
    bundle = bundle_function(output, runtime=runtime, architecture=architecture, room=room)
    if as_json:
        render.as_json(bundle)
    else:
        click.echo(f"{bundle.path}: {bundle.bytes:,} bytes, unzipped {bundle.unzipped:,}")
