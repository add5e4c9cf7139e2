"""PROCESSING_MODE, phase by phase: what runs, what is skipped, and what is reported."""

from __future__ import annotations

from pathlib import Path

from support.channel_server import *  # noqa: F403

ROOT = Path(__file__).parents[1]
