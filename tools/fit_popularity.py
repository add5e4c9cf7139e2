"""Fits the weights of popularity to what public lists of software name.

`python tools/fit_popularity.py FULL NAMED` prints the weights that belong into
src/fdnix/search/sql/weights.sql (`fdnix_popularity_weights`), and the average precision that
five-fold cross-validation gives them. FULL is a full database, made with a nixpkgs tree; NAMED is a
JSON object whose keys are the attribute paths that lists name. Logistic regression with a ridge
penalty on standardised signs, by Newton's method; the folds have a fixed seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from fdnix.database.connection import attach, connect
from fdnix.search.build import create_entries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FOLDS = 5
_RIDGE = 1.0
_CLOSE = 1e-6
# Public lists, as they were read, name what is at the top level alone.
_NOT_FITTED = {"entry_id", "outside", "application", "known_in_set"}


@click.command()
@click.argument("full", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("named", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(full: Path, named: Path) -> None:
    """Fit the weights of popularity to NAMED on the signs that the database FULL gives."""
    names, signs, is_named = read(full, json.loads(named.read_bytes()))
    folds = np.random.default_rng(0).integers(0, _FOLDS, len(signs))
    guessed = np.zeros(len(signs))
    for fold in range(_FOLDS):
        constant, weights = fit(signs[folds != fold], is_named[folds != fold])
        guessed[folds == fold] = constant + signs[folds == fold] @ weights
    click.echo(f"average precision {average_precision(guessed, is_named):.3f}")
    constant, weights = fit(signs, is_named)
    click.echo(f"constant {constant:.2f}")
    for name, weight in zip(names, weights, strict=True):
        click.echo(f"{name} {weight:.2f}")


def read(full: Path, named: dict[str, Any]) -> tuple[list[str], Floats, Floats]:
    """The names of the signs, the signs of every entry (a row each), and whether lists name it."""
    with TemporaryDirectory() as directory, connect(Path(directory) / "signs.duckdb") as connection:
        attach(connection, full, "source")
        create_entries(connection)
        table = connection.execute("FROM popularity_signals ORDER BY entry_id").to_arrow_table()
        rows = connection.execute("SELECT package_id, entry_id FROM variant_source").fetchall()
    names = [name for name in table.column_names if name not in _NOT_FITTED]
    columns = [np.array(table.column(name).to_pylist(), dtype=np.float64) for name in names]
    is_named = np.zeros(table.num_rows)
    is_named[[entry for package_id, entry in rows if package_id in named]] = 1
    return names, np.stack(columns, axis=1), is_named


def fit(signs: Floats, is_named: Floats) -> tuple[float, Floats]:
    """The constant and the weights of a logistic regression of `is_named` on `signs`."""
    mean, deviation = signs.mean(axis=0), signs.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(signs)), (signs - mean) / deviation])
    penalty = _RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0

    def loss(weights: Floats) -> float:
        odds = design @ weights
        likelihood = np.sum(np.logaddexp(0, odds) - is_named * odds)
        return float(likelihood + weights @ penalty @ weights / 2)

    weights = np.zeros(design.shape[1])
    before = loss(weights)
    while True:
        share = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (share - is_named) + penalty @ weights
        curvature = (design * (share * (1 - share))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        while loss(weights - step) > before and np.abs(step).max() > _CLOSE:
            step = step / 2
        weights = weights - step
        after = loss(weights)
        if before - after < _CLOSE:
            break
        before = after
    of_signs = weights[1:] / deviation
    return float(weights[0] - of_signs @ mean), of_signs


def average_precision(guessed: Floats, is_named: Floats) -> float:
    """The mean, over what is named, of the precision of the list that ends there."""
    ranked = is_named[np.argsort(-guessed, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked > 0].mean())


if __name__ == "__main__":
    main()
