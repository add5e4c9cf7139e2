"""PROCESSING_MODE, phase by phase: what runs, what is skipped, and what is reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.catalogues import entries, settings_in, write_catalogue
from support.channel_server import *  # noqa: F403

from fdnix import pipeline
from fdnix.errors import DataError, SettingsError

ROOT = Path(__file__).parents[1]
