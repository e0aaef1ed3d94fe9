"""Titles and queries for Scripts/bench retrieval, and who is nearest to whom.

data.py make FOLDER TITLES DIMENSIONS SEED    made-up titles: base.npy, query.npy, tune.npy and their truth
data.py take FOLDER DIR                       the same of DIR/base.npy and DIR/query.npy (the later half of which tunes,
                                              unless there is DIR/tune.npy)

Titles lie in clusters whose sizes follow a power law and whose middles lie in families, in a space of few dimensions with
a falling spectrum, and have some noise in all dimensions and something in common. A query is a mean of 5 to 20 titles of
one to three clusters, weighted by chance: a profile. All are of unit length. Truth is exact, by faiss: the 500 titles of
the largest inner product, and those among a twentieth of the titles for the filter (filter.bin, a bitmap).
"""

import pathlib
import sys

import numpy as np

K, QUERIES, TUNING, CHUNK = 500, 1000, 500, 100_000


def unit(rows):
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def make(folder, titles, dimensions, seed):
    random = np.random.default_rng(seed)
    latent = 32 if dimensions <= 128 else 48
    clusters = max(50, min(titles // 200, 2000 if titles <= 1_000_000 else 8000))
    share = (np.arange(clusters) + 10.0) ** -0.8
    share /= share.sum()
    cluster = random.choice(clusters, size=titles, p=share)
    energy = np.arange(1, latent + 1) ** -0.6
    axis = np.sqrt(energy / energy.sum())
    families = random.standard_normal((40, latent)) * axis * np.sqrt(0.45)
    middles = families[random.integers(0, 40, clusters)] + random.standard_normal((clusters, latent)) * axis * np.sqrt(0.55)
    spread = 0.7 * np.exp(0.3 * random.standard_normal(clusters))
    turn = np.linalg.qr(random.standard_normal((dimensions, latent)))[0].T.astype(np.float32)
    common = random.standard_normal(dimensions)
    common = (common * 0.3 / np.linalg.norm(common)).astype(np.float32)
    base = np.lib.format.open_memmap(folder / "base.npy", "w+", np.float32, (titles, dimensions))
    for begin in range(0, titles, CHUNK):
        mine = cluster[begin:begin + CHUNK]
        place = middles[mine] + random.standard_normal((len(mine), latent)) * axis * spread[mine, None]
        rows = place.astype(np.float32) @ turn
        noise = np.sqrt(0.06 / dimensions) * np.linalg.norm(rows, axis=1, keepdims=True)
        base[begin:begin + CHUNK] = unit(rows + random.standard_normal(rows.shape, np.float32) * noise + common)
    order = np.argsort(cluster, kind="stable")
    first = np.searchsorted(cluster[order], np.arange(clusters + 1))
    queries = np.empty((QUERIES + TUNING, dimensions), np.float32)
    for row in range(len(queries)):
        tastes = [c for c in random.choice(clusters, size=random.integers(1, 4), replace=False, p=share)
                  if first[c] < first[c + 1]] or [int(cluster[0])]
        picks = random.choice(tastes, size=random.integers(5, 21))
        titles_of = np.array([order[random.integers(first[c], first[c + 1])] for c in picks])
        queries[row] = (base[titles_of] * random.exponential(size=(len(picks), 1))).sum(0)
    unit(queries)
    np.save(folder / "query.npy", queries[:QUERIES])
    np.save(folder / "tune.npy", queries[QUERIES:])
    return base


def take(folder, source):
    base = np.load(source / "base.npy", mmap_mode="r")
    queries = np.load(source / "query.npy").astype(np.float32)
    tune = source / "tune.npy"
    middle = len(queries) // 2
    np.save(folder / "query.npy", queries if tune.exists() else queries[:middle])
    np.save(folder / "tune.npy", np.load(tune).astype(np.float32) if tune.exists() else queries[middle:])
    np.save(folder / "base.npy", np.ascontiguousarray(base, dtype=np.float32))
    return np.load(folder / "base.npy", mmap_mode="r")


def nearest(base, queries, chosen=None):
    """The exact K nearest of each query, of all titles or of those chosen."""
    import faiss
    heap = faiss.ResultHeap(len(queries), K, keep_max=True)
    for begin in range(0, len(base), 1_000_000):
        ordinals = np.arange(begin, min(len(base), begin + 1_000_000))
        if chosen is not None:
            ordinals = ordinals[chosen[ordinals]]
        if len(ordinals) == 0:
            continue
        scores, found = faiss.knn(queries, np.ascontiguousarray(base[ordinals]), min(K, len(ordinals)),
                                  metric=faiss.METRIC_INNER_PRODUCT)
        heap.add_result(scores, ordinals[found])
    heap.finalize()
    return heap.I.astype(np.int32)


def main():
    folder = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "make":
        base = make(folder, *map(int, sys.argv[3:6]))
    else:
        base = take(folder, pathlib.Path(sys.argv[3]))
    query, tune = np.load(folder / "query.npy"), np.load(folder / "tune.npy")
    np.save(folder / "truth.npy", nearest(base, query))
    np.save(folder / "tune-truth.npy", nearest(base, tune))
    chosen = np.random.default_rng(5).random(len(base)) < 0.05
    bits = np.zeros((len(base) + 63) // 64 * 64, np.uint8)
    bits[:len(base)] = chosen
    np.packbits(bits, bitorder="little").tofile(folder / "filter.bin")
    np.save(folder / "filter-truth.npy", nearest(base, query, chosen))


main()
