"""Vectors like those of titles and profiles, from a seed.

Titles: clusters of very different sizes and widths around centres that share broader themes, in a space of few latent
dimensions whose later ones matter less, turned into the full space, with a little noise in all of its dimensions and
an offset that all titles share; unit length. Queries: weighted means of 5 to 20 titles from one to three clusters,
chosen by size, as profiles are.
"""

import json
import pathlib

import numpy as np

# Titles, dimensions, latent dimensions, clusters, queries.
SETS = {
    "1m128": (1_000_000, 128, 32, 2000, 1000),
    "100k384": (100_000, 384, 48, 500, 1000),
    "10m128": (10_000_000, 128, 32, 6000, 500),
    "10k128": (12_000, 128, 32, 200, 500),
    "100k128": (100_000, 128, 32, 500, 1000),
}
THEMES, THEME_ENERGY, WIDTH, NOISE, OFFSET = 40, 0.45, 0.7, 0.06, 0.3


def unit(rows):
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


class Titles:
    def __init__(self, shape, seed):
        self.count, self.dimensions, latent, clusters, _ = shape
        self.random = np.random.default_rng(seed)
        weight = np.arange(10, clusters + 10, dtype=float) ** -0.8
        self.share = weight / weight.sum()
        self.cluster = self.random.choice(clusters, self.count, p=self.share)
        spectrum = np.arange(1, latent + 1, dtype=float) ** -0.6
        self.spread = np.sqrt(spectrum / spectrum.sum())
        normal = self.random.standard_normal
        theme = normal((THEMES, latent))[self.random.integers(THEMES, size=clusters)]
        self.centre = (np.sqrt(THEME_ENERGY) * theme
                       + np.sqrt(1 - THEME_ENERGY) * normal((clusters, latent))) * self.spread
        self.width = WIDTH * np.exp(0.3 * normal(clusters))
        self.turn = np.linalg.qr(normal((self.dimensions, latent)))[0].T.astype(np.float32)
        offset = normal(self.dimensions)
        self.offset = (OFFSET * offset / np.linalg.norm(offset)).astype(np.float32)

    def write(self, path):
        rows = np.lib.format.open_memmap(path, "w+", np.float32, (self.count, self.dimensions))
        for begin in range(0, self.count, 100_000):
            cluster = self.cluster[begin:begin + 100_000]
            latent = self.random.standard_normal((len(cluster), len(self.spread))) * self.spread
            latent = self.centre[cluster] + latent * self.width[cluster, None]
            block = latent.astype(np.float32) @ self.turn
            size = np.linalg.norm(block, axis=1, keepdims=True) * np.float32(np.sqrt(NOISE / self.dimensions))
            block += self.random.standard_normal(block.shape, np.float32) * size
            rows[begin:begin + len(cluster)] = unit(block + self.offset)
        rows.flush()
        return rows

    def profiles(self, rows, count):
        order = np.argsort(self.cluster, kind="stable")
        first = np.searchsorted(self.cluster[order], np.arange(len(self.share) + 1))
        filled = np.flatnonzero(np.diff(first))
        share = self.share[filled] / self.share[filled].sum()
        queries = np.zeros((count, self.dimensions), np.float32)
        for query in queries:
            tastes = self.random.choice(filled, self.random.integers(1, 4), replace=False, p=share)
            for taste in self.random.choice(tastes, self.random.integers(5, 21)):
                title = order[self.random.integers(first[taste], first[taste + 1])]
                query += np.float32(self.random.exponential()) * rows[title]
        return unit(queries)


def truth(rows, queries, k, allowed=None):
    """The ordinals of the exact best k by inner product, by faiss, in blocks of a million titles."""
    import faiss
    best, names = None, None
    for begin in range(0, len(rows), 1_000_000):
        ordinals = np.arange(begin, min(len(rows), begin + 1_000_000))
        if allowed is not None:
            ordinals = ordinals[allowed[ordinals]]
        if not len(ordinals):
            continue
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(np.ascontiguousarray(rows[ordinals]))
        scores, places = index.search(queries, min(k, len(ordinals)))
        found = ordinals[places]
        best = scores if best is None else np.hstack([best, scores])
        names = found if names is None else np.hstack([names, found])
        keep = np.argsort(-best, axis=1, kind="stable")[:, :k]
        best, names = np.take_along_axis(best, keep, 1), np.take_along_axis(names, keep, 1)
    return names.astype(np.int32)


def make(folder, name, seed):
    """Writes NAME_base, _query, _tune, _gt and _tunegt .npy unless they are there, and returns their folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / f"{name}.json"
    if done.exists() and json.loads(done.read_text()) == {"seed": seed}:
        return folder
    titles = Titles(SETS[name], seed)
    rows = titles.write(folder / f"{name}_base.npy")
    for kind, count, answers in [("query", SETS[name][4], "gt"), ("tune", 300, "tunegt")]:
        queries = titles.profiles(rows, count)
        np.save(folder / f"{name}_{kind}.npy", queries)
        np.save(folder / f"{name}_{answers}.npy", truth(rows, queries, 500))
    done.write_text(json.dumps({"seed": seed}))
    return folder
