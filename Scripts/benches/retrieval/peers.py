"""The libraries beside which Marquee's index is measured, and Marquee's: each builds, and searches with a setting.

A subject has `settings(k)`, from the cheapest, `search(setting, queries, k)`, which gives ordinals and the microseconds
of each query, and `build_seconds`, `bytes`, `version`.
"""

import importlib.metadata
import json
import os
import subprocess
import time

import numpy as np


def timed(queries, call):
    found, times = [], []
    for query in queries:
        begin = time.perf_counter()
        ordinals = call(query)
        times.append((time.perf_counter() - begin) * 1e6)
        found.append(ordinals)
    return found, times


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Peer:
    package = None

    def __init__(self, base, threads):
        self.count, self.dimensions = base.shape
        self.version = importlib.metadata.version(self.package)
        self.start()
        self.build(base, threads)
        self.build_seconds = time.perf_counter() - self.begin
        self.bytes = max(0, resident() - self.before)

    def start(self):
        self.before, self.begin = resident(), time.perf_counter()


class Scann(Peer):
    """4-bit codes in twice the root of the titles as leaves; scored again as floats, or as bytes."""
    package = "scann"

    def build(self, base, threads):
        import scann
        self.searchers = {}
        leaves = int(2 * self.count ** 0.5)
        for kind in ("float", "int8"):
            self.start()  # the second is what is told
            builder = (scann.scann_ops_pybind.builder(base, 500, "dot_product").set_n_training_threads(threads)
                       .tree(num_leaves=leaves, num_leaves_to_search=50, training_sample_size=min(250_000, self.count))
                       .score_ah(2, anisotropic_quantization_threshold=0.2))
            builder = builder.reorder(1000) if kind == "float" else self.bytes_again(scann, builder)
            self.searchers[kind] = builder.build()

    @staticmethod
    def bytes_again(scann, builder):
        from scann.scann_ops.py.scann_builder import ReorderType
        return builder.reorder(1000, quantize=ReorderType.INT8)

    def settings(self, k):
        leaves = [leaves for leaves in (8, 12, 18, 24, 32, 40, 50, 62, 78, 100, 130, 170, 230, 320, 450)
                  if leaves <= 2 * self.count ** 0.5]
        return [(kind, leaf, int(k * share)) for leaf in leaves for share in (1.3, 2, 3, 5) for kind in self.searchers]

    def search(self, setting, queries, k):
        kind, leaves, again = setting
        searcher = self.searchers[kind]
        return timed(queries, lambda query: searcher.search(
            query, final_num_neighbors=k, pre_reorder_num_neighbors=again, leaves_to_search=leaves)[0])


class FaissIVFPQ(Peer):
    package = "faiss-cpu"

    def build(self, base, threads):
        import faiss
        faiss.omp_set_num_threads(threads)
        lists = max(16, int(2.048 * self.count ** 0.5))
        self.index = faiss.index_factory(
            self.dimensions, f"IVF{lists},PQ{self.dimensions // 2}x4fsr,RFlat", faiss.METRIC_INNER_PRODUCT)
        self.index.train(np.ascontiguousarray(base[:: max(1, len(base) // 250_000)]))
        self.index.add(base)
        self.inner = faiss.downcast_index(self.index.base_index)

    def settings(self, k):
        return [(lists, share) for lists in (10, 16, 24, 32, 42, 56, 75, 100, 140, 200, 300) for share in (1.5, 2, 4)]

    def search(self, setting, queries, k):
        self.inner.nprobe, self.index.k_factor = setting
        return timed(queries, lambda query: self.index.search(query[None], k)[1][0])


class HNSWLib(Peer):
    package = "hnswlib"

    def build(self, base, threads):
        import hnswlib
        self.index = hnswlib.Index("ip", self.dimensions)
        self.index.init_index(self.count, M=16, ef_construction=200, random_seed=1)
        self.index.add_items(base, num_threads=threads)
        self.index.set_num_threads(1)

    def settings(self, k):
        return [int(k * share) for share in (1, 1.2, 1.5, 2, 2.5, 3, 4)]

    def search(self, setting, queries, k):
        self.index.set_ef(setting)
        return timed(queries, lambda query: self.index.knn_query(query, k)[0][0])


class USearch(Peer):
    package = "usearch"

    def build(self, base, threads):
        from usearch.index import Index
        self.index = Index(ndim=self.dimensions, metric="ip", dtype="i8")
        self.index.add(np.arange(self.count), base, threads=threads)

    def settings(self, k):
        return [int(k * share) for share in (1, 1.5, 2, 3, 4, 6)]

    def search(self, setting, queries, k):
        self.index.expansion_search = setting
        return timed(queries, lambda query: self.index.search(query, k, threads=1).keys)


class Marquee:
    """Another process, `index-bench`: asked by lines, it times each query by itself."""

    def __init__(self, command, base_path, tune_path, query_path, out, version):
        self.version, self.out = version, out
        done = subprocess.run([command, "build", base_path, out, "--tune", tune_path], check=True,
                              capture_output=True, text=True)
        told = json.loads(done.stdout)
        self.build_seconds, self.bytes, self.curve = told["seconds"], told["bytes"], told["curve"]
        self.processes = {path: subprocess.Popen([command, "serve", out, path], stdin=subprocess.PIPE,
                                                 stdout=subprocess.PIPE, text=True) for path in (tune_path, query_path)}

    def settings(self, k):
        return ["0.90", "0.95", "0.98", "0.99"]

    def search(self, setting, path, k, allowed=None):
        process = self.processes[path]
        process.stdin.write(f"search {k} {setting} {self.out}.found {allowed or ''}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("index-bench ended")
        found = np.fromfile(f"{self.out}.found", np.int32).reshape(-1, k)
        return found, json.loads(line)["us"]

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()


PEERS = {"scann": Scann, "faiss-ivfpq": FaissIVFPQ, "hnswlib": HNSWLib, "usearch": USearch}
