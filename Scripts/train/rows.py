"""Training rows as `marquee train --rows` writes them, for tools that train rankers."""

import pathlib

import numpy as np


class Rows:
    """Features, labels, weights and groups of one part: train, validation or test. Rows of a group stand together."""

    def __init__(self, folder, part):
        folder = pathlib.Path(folder)
        self.features, self.labels, self.weights, self.groups = (
            np.load(folder / f"{part}-{name}.npy") for name in ("features", "labels", "weights", "groups"))
        if not len(self.features) == len(self.labels) == len(self.weights) == len(self.groups):
            raise SystemExit(f"{folder}: the arrays of {part} have different lengths")

    def __len__(self):
        return len(self.features)

    def sizes(self):
        """Rows of each group, in their order."""
        ends = np.flatnonzero(np.diff(self.groups)) + 1
        return np.diff(np.concatenate([[0], ends, [len(self.groups)]]))

    def only(self, chosen):
        """The chosen rows, by a mask."""
        part = object.__new__(Rows)
        part.features, part.labels, part.weights, part.groups = (
            values[chosen] for values in (self.features, self.labels, self.weights, self.groups))
        return part

    def in_groups(self, holds):
        """The rows of the groups whose labels `holds` is true of."""
        sizes = self.sizes()
        begins = np.cumsum(sizes) - sizes
        kept = [holds(self.labels[begin:begin + size]) for begin, size in zip(begins, sizes)]
        return self.only(np.repeat(kept, sizes))


def names(folder):
    return (pathlib.Path(folder) / "features.txt").read_text(encoding="utf-8").strip().split(",")


def ndcg(rows, scores, depth=10):
    """NDCG at a depth, as `marquee` counts it: gains of 2^label - 1, mean over the groups that have one; ties go to the
    row that stands first."""
    found, begin = [], 0
    for size in rows.sizes():
        labels = rows.labels[begin:begin + size]
        order = np.argsort(-scores[begin:begin + size], kind="stable")[:depth]
        discounts = 1 / np.log2(np.arange(2, depth + 2))
        best = np.sort(2.0 ** labels - 1)[::-1][:depth]
        if best.sum() > 0:
            gains = 2.0 ** labels[order] - 1
            found.append((gains * discounts[:len(gains)]).sum() / (best * discounts[:len(best)]).sum())
        begin += size
    return float(np.mean(found))


def auc(rows, scores):
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    # Equal scores share the mean of their ranks.
    values, inverse, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks[order] = ((2 * ends - counts + 1) / 2)[inverse]
    wanted = rows.labels > 0.5
    positives, negatives = wanted.sum(), (~wanted).sum()
    return float((ranks[wanted].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def report(rows, scores, features):
    """Prints scores beside what single features come to."""
    columns = {name: rows.features[:, features.index(name)] for name in ("similarity", "popularity") if name in features}
    for name, values in {**scores, **columns}.items():
        print(f"{name:24} NDCG@10 {ndcg(rows, values):.4f}  AUC {auc(rows, values):.4f}")
