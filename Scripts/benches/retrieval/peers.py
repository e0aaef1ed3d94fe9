"""The other indexes, in their own virtual environment.

peers.py build FOLDER SUBJECT      builds an index of FOLDER/base.npy with one thread; prints seconds and bytes
peers.py serve FOLDER SUBJECT K    finds the fastest setting for each recall on the tuning queries and prints them; then
                                   each line `RECALL PASSES FILE` of standard input is answered with the nanoseconds of
                                   each search of the last pass, one query a call, and FILE has the ordinals found
"""

import json
import os
import pathlib
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402

RECALLS = [0.90, 0.95, 0.98, 0.99]
TUNING = 200


def steps(least, most, count):
    return sorted({int(round(x)) for x in np.geomspace(max(least, 1), max(most, 2), count)})


def lists(titles):
    return 600 if titles <= 200_000 else min(2 * int(titles ** 0.5), 8000)


class Scann:
    def __init__(self, quantised):
        self.quantised = quantised

    def build(self, base, path):
        import scann
        from scann.scann_ops.py.scann_builder import ReorderType
        count = lists(len(base))
        builder = (scann.scann_ops_pybind.builder(base, 500, "dot_product").set_n_training_threads(1)
                   .tree(num_leaves=count, num_leaves_to_search=count // 20,
                         training_sample_size=min(len(base), 200_000))
                   .score_ah(2, anisotropic_quantization_threshold=0.2))
        builder = builder.reorder(2000, quantize=ReorderType.INT8) if self.quantised else builder.reorder(2000)
        path.mkdir(exist_ok=True)
        builder.build().serialize(str(path))

    def load(self, path, titles):
        import importlib.metadata
        import scann
        self.index = scann.scann_ops_pybind.load_searcher(str(path))
        self.lists = lists(titles)
        return importlib.metadata.version("scann")

    def settings(self, k):
        factors = [1.5, 2, 3, 4, 6] if k >= 500 else [2, 4, 8, 16]
        return [[(int(k * factor), probes) for probes in steps(self.lists // 200, self.lists // 4, 16)]
                for factor in factors]

    def search(self, query, k, setting):
        return self.index.search(query[0], final_num_neighbors=k, pre_reorder_num_neighbors=setting[0],
                                 leaves_to_search=setting[1])[0]

    def overhead(self):
        """A setting and a k that leave next to nothing to do but the call."""
        return 1, (1, 1)


class Faiss:
    def build(self, base, path):
        import faiss
        faiss.omp_set_num_threads(1)
        count = 2 ** round(np.log2(lists(len(base))))
        index = faiss.index_factory(base.shape[1], f"IVF{count},PQ{base.shape[1] // 2}x4fsr,RFlat",
                                    faiss.METRIC_INNER_PRODUCT)
        sample = np.random.default_rng(1).choice(len(base), min(len(base), 200_000), replace=False)
        index.train(np.ascontiguousarray(base[np.sort(sample)]))
        index.add(np.ascontiguousarray(base))
        faiss.write_index(index, str(path))

    def load(self, path, titles):
        import faiss
        faiss.omp_set_num_threads(1)
        # The first owns what the others are views of.
        self.whole = faiss.read_index(str(path))
        self.index = faiss.downcast_index(self.whole)
        self.lists = faiss.extract_index_ivf(self.whole)
        return faiss.__version__

    def settings(self, k):
        count = self.lists.nlist
        return [[(factor, probes) for probes in steps(count // 200, count // 4, 16)] for factor in (1.5, 2, 3, 4, 6)]

    def search(self, query, k, setting):
        self.index.k_factor, self.lists.nprobe = setting
        return self.index.search(query, k)[1][0]

    def overhead(self):
        return 1, (1, 1)


class Hnswlib:
    def build(self, base, path):
        import hnswlib
        index = hnswlib.Index(space="ip", dim=base.shape[1])
        index.init_index(max_elements=len(base), ef_construction=200, M=16, random_seed=7)
        index.add_items(base, num_threads=1)
        index.save_index(str(path))

    def load(self, path, titles):
        import importlib.metadata
        import hnswlib
        query = np.load(path.parent / "query.npy", mmap_mode="r")
        self.index = hnswlib.Index(space="ip", dim=query.shape[1])
        self.index.load_index(str(path))
        self.index.set_num_threads(1)
        return importlib.metadata.version("hnswlib")

    def settings(self, k):
        return [[max(k, effort) for effort in steps(k, 6 * k, 12)]]

    def search(self, query, k, setting):
        self.index.set_ef(setting)
        return self.index.knn_query(query, k=k, num_threads=1)[0][0]

    def overhead(self):
        return 1, 1


class Usearch:
    def index_of(self, dimensions):
        from usearch.index import Index
        return Index(ndim=dimensions, metric="ip", dtype="f16", connectivity=16, expansion_add=200)

    def build(self, base, path):
        index = self.index_of(base.shape[1])
        index.add(np.arange(len(base)), np.ascontiguousarray(base), threads=1)
        index.save(str(path))

    def load(self, path, titles):
        import usearch
        self.index = self.index_of(np.load(path.parent / "query.npy", mmap_mode="r").shape[1])
        self.index.load(str(path))
        return usearch.__version__

    def settings(self, k):
        return [[max(k, effort) for effort in steps(k, 6 * k, 12)]]

    def search(self, query, k, setting):
        self.index.expansion_search = setting
        return self.index.search(query[0], k, threads=1).keys

    def overhead(self):
        return 1, 1


SUBJECTS = {"scann": Scann(False), "scann-int8": Scann(True), "faiss-ivfpq": Faiss(), "hnswlib": Hnswlib(),
            "usearch": Usearch()}


def size(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def run(subject, queries, k, setting):
    times, found = np.empty(len(queries)), []
    clock = time.perf_counter_ns
    for row in range(len(queries)):
        query = queries[row:row + 1]
        begin = clock()
        result = subject.search(query, k, setting)
        times[row] = clock() - begin
        found.append(np.asarray(result))
    return times, found


def recall(found, truth, k):
    return sum(len(np.intersect1d(a, b[:k])) for a, b in zip(found, truth)) / (k * len(found))


def tune(subject, folder, k):
    """The fastest setting of each recall: of each row of settings, cheap ones first, until recall is enough."""
    queries, truth = np.load(folder / "tune.npy")[:TUNING], np.load(folder / "tune-truth.npy")
    seen = []
    for row in subject.settings(k):
        for setting in row:
            run(subject, queries[:5], k, setting)
            times, found = run(subject, queries, k, setting)
            seen.append((recall(found, truth, k), times.mean(), setting))
            if seen[-1][0] >= 0.993:
                break
    best = {}
    for wanted in RECALLS:
        enough = [one for one in seen if one[0] >= wanted]
        if enough:
            best[f"{wanted:.2f}"] = min(enough, key=lambda one: one[1])[2]
    return best


def main():
    folder, name = pathlib.Path(sys.argv[2]), sys.argv[3]
    subject, path = SUBJECTS[name], folder / f"{name}.index"
    if sys.argv[1] == "build":
        base = np.load(folder / "base.npy")
        begin = time.monotonic()
        subject.build(base, path)
        print(json.dumps({"seconds": time.monotonic() - begin, "bytes": size(path)}))
        return
    k = int(sys.argv[4])
    queries = np.load(folder / "query.npy")
    version = subject.load(path, len(np.load(folder / "base.npy", mmap_mode="r")))
    settings = tune(subject, folder, k)
    few, setting = subject.overhead()
    overhead = float(np.median(run(subject, queries, few, setting)[0])) / 1e3
    print(json.dumps({"version": version, "recalls": list(settings), "overhead_us": overhead}), flush=True)
    for line in sys.stdin:
        wanted, passes, file = line.split()
        for _ in range(int(passes)):
            times, found = run(subject, queries, k, settings[wanted])
        if file != "-":
            np.concatenate(found).astype(np.uint32).tofile(file)
        print(" ".join(str(int(one)) for one in times), flush=True)


main()
