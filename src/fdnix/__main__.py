"""`python -m fdnix` is the command `fdnix`."""

from __future__ import annotations

from fdnix.cli import main

main()
