"""Commands over the databases that earlier runs left in S3."""

from __future__ import annotations

import os

import click

from fdnix.artifacts import s3
from fdnix.cli import render, tables
from fdnix.cli.options import JSON_OPTION
from fdnix.settings import load_settings


@click.command("snapshots")
@JSON_OPTION
def snapshots_command(*, as_json: bool) -> None:
    """List the databases that earlier runs left in S3, newest first.

    \b
    Example: DUCKDB_MINIFIED_KEY='nightly/{date}/fdnix.duckdb' fdnix snapshots
    """
    listed = s3.snapshots(load_settings(os.environ))
    render.as_json(listed) if as_json else tables.snapshot_table(listed)


@click.command("rollback")
@click.argument("snapshot")
@JSON_OPTION
def rollback_command(*, snapshot: str, as_json: bool) -> None:
    """Make an earlier SNAPSHOT, by its name in `fdnix snapshots`, the latest.

    \b
    Example: fdnix rollback 2026-11-22
    """
    settings = load_settings(os.environ)
    with s3.run_lock(settings) as still_held:
        restored = s3.roll_back(settings, snapshot, still_held=still_held)
    render.as_json(restored) if as_json else tables.snapshot_table([restored])
