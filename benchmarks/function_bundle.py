"""What a function that searches has to carry: the bytes of fdnix and DuckDB, unpacked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import click

PROJECT = Path(__file__).parents[1]
BAR = 67_000_000
"""Bytes that the bundle may have."""

NOT_NEEDED = ("bin", "fdnix/embedding/static_model")
"""Scripts, and the model: a file that searches read holds what its queries need of it."""

SEARCH = """
import json, sys
sys.path.append(sys.argv[1])
from pathlib import Path
from fdnix import SearchIndex
with SearchIndex.open(Path(sys.argv[2])) as index:
    results = index.search(sys.argv[3])
print(json.dumps({"first": results.hits[0].package_id, "notice": results.notice}))
"""


@click.command()
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--query", default="terminal file manager with previews", help="What is searched.")
@click.option("--json", "as_json", is_flag=True)
def main(*, database: Path, query: str, as_json: bool) -> None:
    """Put fdnix and DuckDB alone into a folder, search DATABASE with it, and print its bytes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _install(folder)
        sizes = {part.name: _bytes(part) for part in folder.iterdir()}
        # Without site-packages and without what the environment says of paths.
        command = [sys.executable, "-I", "-S", "-B", "-c", SEARCH, name, str(database), query]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        raise click.ClickException(f"no search with {sizes}:\n{ended.stderr}")
    found = json.loads(ended.stdout)
    total = sum(sizes.values())
    report = {"bytes": total, "bar": BAR, "parts": sizes, **found}
    if as_json:
        click.echo(json.dumps(report))
    else:
        for part, size in sorted(sizes.items(), key=lambda item: -item[1]):
            click.echo(f"{part:32} {size:12,}")
        click.echo(f"{'all':32} {total:12,} bytes; the bar is {BAR:,}")
        click.echo(f"found {found['first']}; {found['notice'] or 'by words and meaning'}")
    if total > BAR:
        sys.exit(1)


def _install(folder: Path) -> None:
    """Install the project without extras into `folder`, and DuckDB in the version it asks for."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    [duckdb] = [name for name in project["dependencies"] if name.startswith("duckdb")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*pip, "--target", folder, PROJECT, duckdb], check=True)
    for part in NOT_NEEDED:
        shutil.rmtree(folder / part)


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    main()
