"""The container's entry: `python src/index.py` is `fdnix run`, told by the environment alone.

With arguments it is `fdnix` with these.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fdnix.cli import main

if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
