"""Measures one set of vectors, in the virtual environment of the peers. Figures go to standard output as JSON lines."""

import argparse
import json
import os
import pathlib
import sys
import time

import numpy as np

import generate
from peers import PEERS, Marquee

TARGETS = ("0.90", "0.95", "0.98", "0.99")


def tell(text):
    print(text, file=sys.stderr, flush=True)


def figure(case, metric, values, unit, subject, version):
    print(json.dumps({"case": case, "metric": metric, "values": values, "unit": unit, "subject": subject,
                      "version": version}), flush=True)


def recall(found, truth, k):
    return float(np.mean([len(np.intersect1d(ours, best[:k])) / min(k, len(best)) for ours, best in zip(found, truth)]))


class Set:
    def __init__(self, options):
        self.options, self.name = options, options.set
        folder = pathlib.Path(options.data)
        if options.generate:
            generate.make(folder, self.name, options.seed)
        self.path = {kind: str(folder / f"{self.name}_{kind}.npy") for kind in ("base", "query", "tune", "gt", "tunegt")}
        self.base = np.load(self.path["base"], mmap_mode="r")
        self.queries, self.tune = np.load(self.path["query"]), np.load(self.path["tune"])
        for kind, queries in [("gt", self.queries), ("tunegt", self.tune)]:
            if not os.path.exists(self.path[kind]):
                tell(f"exact neighbours of {len(queries)} queries")
                np.save(self.path[kind], generate.truth(self.base, queries, 500))
        self.truth, self.tune_truth = np.load(self.path["gt"]), np.load(self.path["tunegt"])
        if options.quick:
            self.queries, self.truth = self.queries[:200], self.truth[:200]
        self.query_path = f"{options.out}/{self.name}_asked.npy"
        np.save(self.query_path, self.queries)

    def build(self):
        options = self.options
        self.subjects = {}
        os.sched_setaffinity(0, {options.core})
        tell("building marquee")
        ours = Marquee(options.command, self.path["base"], self.path["tune"], self.query_path,
                       f"{options.out}/{self.name}", options.version)
        self.subjects["marquee"] = ours
        for name in options.subjects.split(","):
            if name == "marquee":
                continue
            tell(f"building {name}")
            try:
                self.subjects[name] = PEERS[name](np.ascontiguousarray(self.base), 1)
            except ImportError as error:
                tell(f"{name} is left out: {error}")
        for name, subject in self.subjects.items():
            figure(self.name, "build_seconds", subject.build_seconds, "s", name, subject.version)
            figure(self.name, "bytes_per_title", subject.bytes / len(self.base), "bytes", name, subject.version)

    def choose(self, name, subject, k):
        """The fastest setting that reaches each target on queries that aren't measured."""
        if name == "marquee":
            return {target: target for target in TARGETS}
        chosen, queries = {}, self.tune[:60 if self.options.quick else 150]
        tried = []
        for setting in subject.settings(k):
            # The better of two medians: something else may run meanwhile.
            tries = [subject.search(setting, queries, k) for _ in range(2)]
            took = min(float(np.median(times)) for _, times in tries)
            tried.append((took, recall(tries[0][0], self.tune_truth, k), setting))
        for target in TARGETS:
            good = [trial for trial in tried if trial[1] >= float(target)]
            if good:
                chosen[target] = min(good, key=lambda trial: trial[0])[2]
            else:
                tell(f"{name} doesn't reach {target} at k = {k}: its best is {max(trial[1] for trial in tried):.4f}")
        return chosen

    def measure(self, k):
        plans = {name: self.choose(name, subject, k) for name, subject in self.subjects.items()}
        for target in TARGETS:
            rounds = {name: [] for name in plans if target in plans[name]}
            recalls = {}
            for _ in range(self.options.rounds):
                for name in rounds:
                    subject = self.subjects[name]
                    asked = self.query_path if name == "marquee" else self.queries
                    found, times = subject.search(plans[name][target], asked, k)
                    recalls[name] = recall(found, self.truth, k)
                    rounds[name].append(times)
            for name, times in rounds.items():
                self.report(f"{self.name}-k{k}-r{target}", name, times, recalls[name])

    def report(self, case, name, rounds, reached):
        subject, rounds = self.subjects[name], np.array(rounds)
        figure(case, "queries_per_second", [1e6 / float(times.mean()) for times in rounds], "1/s", name, subject.version)
        figure(case, "recall", reached, "share", name, subject.version)
        for metric, part in [("p50_us", 50), ("p99_us", 99)]:
            figure(case, metric, [float(np.percentile(times, part)) for times in rounds], "us", name, subject.version)

    def measure_filtered(self, k, percent):
        """A filter by chance; only Marquee's, since the others' differ in what they can."""
        allowed = np.random.default_rng(self.options.seed).random(len(self.base)) < percent / 100
        bits = np.packbits(allowed, bitorder="little")
        path = f"{self.options.out}/allowed"
        np.concatenate([bits, np.zeros(-len(bits) % 8, np.uint8)]).tofile(path)
        count = min(300, len(self.queries))
        truth = generate.truth(self.base, self.queries[:count], k, allowed)
        for target in TARGETS:
            rounds = []
            for _ in range(self.options.rounds):
                found, times = self.subjects["marquee"].search(target, self.query_path, k, path)
                rounds.append(times)
            self.report(f"{self.name}-k{k}-filter{percent}pct-r{target}", "marquee", rounds,
                        recall(found[:count], truth, k))


def main():
    parser = argparse.ArgumentParser()
    for name in ("set", "data", "out", "command", "version", "subjects", "counts"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("seed", "rounds", "core"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--generate", action="store_true")
    options = parser.parse_args()
    begin = time.monotonic()
    measured = Set(options)
    tell(f"vectors ready after {time.monotonic() - begin:.0f} s")
    measured.build()
    for k in options.counts.split(","):
        measured.measure(int(k))
    measured.measure_filtered(500, 5)
    measured.subjects["marquee"].close()


if __name__ == "__main__":
    main()
