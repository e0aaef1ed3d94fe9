"""Rows as rankers meet them, the bad ones too, and the `marquee` that scores them."""

import json
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))

from fleet import binary  # noqa: E402

FEATURES = 12
# Two categories: of few values, of many.
CATEGORIES = [8, 9]
ROW_COUNT = 100_000


def rows(count, seed, categories=True):
    """Features of several kinds. Numbers are missing, zero, huge or on a threshold; without `categories` theirs are
    numbers like others, else small whole numbers, sometimes missing."""
    random = np.random.default_rng(seed)
    table = random.standard_normal((count, FEATURES)).astype(np.float32)
    table[:, 3] = random.lognormal(0, 2, count)
    table[:, 4] = random.integers(0, 6, count)
    table[:, 5] = random.random(count) < 0.2
    table[:, 6] = np.round(table[:, 6], 1)
    table[:, 7][random.random(count) < 0.4] = 0
    if categories:
        table[:, 8] = random.integers(0, 7, count)
        table[:, 9] = np.minimum(random.geometric(0.02, count), 299)
    for feature in (1, 4, 7, 8, 9):
        table[random.random(count) < 0.15, feature] = np.nan
    return table


def odd(table, seed):
    """The same rows with what training never saw: categories that are new, negative or not whole, infinite numbers."""
    random = np.random.default_rng(seed)
    table = table.copy()
    for feature in CATEGORIES:
        for value in (-1, 0.5, 1000, 3e9, -0.0):
            table[random.random(len(table)) < 0.01, feature] = value
    for value in (np.inf, -np.inf, 1e-36, -1e-36, 1e30):
        table[random.random(len(table)) < 0.01, 2] = value
    return table


def signal(table):
    """What labels are made of: neither linear nor a tree."""
    known = np.nan_to_num(table, nan=-0.5, posinf=3, neginf=-3)
    return (np.sin(2 * known[:, 0]) + known[:, 1] * known[:, 2] * 0.5 - 0.3 * np.log1p(np.abs(known[:, 3]))
            + 0.4 * (known[:, 8] % 3 == 1) + 0.5 * (known[:, 9] % 7 < 3) - 0.3)


def marquee(*arguments):
    done = subprocess.run([binary(), *map(str, arguments), "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def scores(model, table, folder, form="output", output=None):
    """What `marquee model evaluate` says of the rows, once the file is imported: a column for each output."""
    ranker = folder / "ranker"
    report = marquee("model", "import", model, "--out", ranker, *([] if output is None else ["--output", output]))
    assert len(report["features"]) == table.shape[1]
    np.save(folder / "rows.npy", table)
    marquee("model", "evaluate", ranker, "--rows", folder / "rows.npy", "--scores", folder / "scores.npy", "--form", form)
    found = np.load(folder / "scores.npy")
    return found.reshape(len(table), -1)


def compare(name, found, expected, largest):
    """Prints how close they are, and holds them to it: absolute, of numbers above 1 relative."""
    expected = np.asarray(expected, dtype=np.float64).reshape(found.shape)
    assert np.isfinite(expected).all()
    difference = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    print(f"{name}: {len(found)} rows, largest difference {difference.max():g}, "
          f"{100 * np.mean(found == expected):.2f} % equal to the bit")
    assert difference.max() <= largest
