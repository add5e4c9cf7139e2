from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_trial_without_an_account_runs_as_the_documentation_has_it(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    section = page.partition("## Try it without an account")[2]
    commands = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert len(commands) == 1
    for name, target in (("src", ROOT / "src"), ("tests", ROOT / "tests"), (".venv", sys.prefix)):
        (tmp_path / name).symlink_to(target)

    done = subprocess.run(
        ["bash", "-e", "-c", commands[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    rolled_back = r"nightly/latest/fdnix\.duckdb is now s3://fdnix-local/nightly/2\S+\n$"
    assert re.search(rolled_back, done.stderr)
    assert "layer:fdnix-database:1 already has these bytes" in done.stderr
    assert "nothing to embed" in done.stderr
