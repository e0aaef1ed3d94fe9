"""Overload: what a replica makes of more than it can do, and whether a busy client takes from a quiet one.

The replica of `Scripts/bench rank`, its data and its pinning; an answer is whole when no rung of it came from load.
  goodput_best          whole answers a second at the best of the offered rates from 0.6 to 1.3 of the capacity
  goodput_at_N          whole answers a second at N times the rate of that
  goodput_share_at_N    that by the best, in percent
  answered_share_at_N   calls that got rows, whole or shortened, in percent; the rest was refused
  refused_p99_ms_at_N   how long callers waited for RESOURCE_EXHAUSTED, from the schedule's moment
  recovery_seconds      after N times the rate: seconds until one in which every call at half the best rate is answered
                        whole
  quiet_whole_percent   answers of a client with 10 calls a second that were whole, beside one that keeps 128 calls in
                        flight on a connection of its own; quiet_p99_ms; busy_per_second what the busy one got
"""

import os
import pathlib
import shutil
import tempfile
import time

import rank
from figures import progress
from fleet import Fleet

FACTORS = (3, 10)


def add_options(parser):
    rank.add_options(parser)


def run(options, figures):
    options.titles = options.titles or (20_000 if options.quick else 1_000_000)
    options.profiles = options.profiles or (300 if options.quick else 5_000)
    options.runs = options.runs or (1 if options.quick else 3)
    options.seconds = options.seconds or (3 if options.quick else 8)
    home = rank.data(options)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="marquee-bench-"))
    bench = Overload(Fleet(directory, regions=("north",), replicas=1), home, options, figures)
    try:
        bench.start()
        bench.find_best()
        for factor in FACTORS:
            bench.beyond(factor)
        bench.busy_and_quiet()
    finally:
        bench.fleet.close()
        shutil.rmtree(directory, ignore_errors=True)


class Overload(rank.RankBench):
    def whole(self, report):
        """Whole answers a second, the first and the last second left out."""
        seconds = report["timeline"][1:int(report["seconds"])]
        return sum(each["calls"] - each["shortened"] for each in seconds) / max(len(seconds), 1)

    def find_best(self):
        closed = self.fleet.json(*self.load_arguments("--concurrency", f"{2 * self.threads}", "--seconds", "3"))
        capacity = closed["per_second"]
        found = []
        for _ in range(self.options.runs):
            best = (0, 0)
            for part in (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3):
                whole = self.whole(self.load(part * capacity, max(self.options.seconds / 2, 3)))
                progress(f"  {part * capacity:6.0f} a second offered: {whole:.0f} whole")
                best = max(best, (whole, part * capacity))
            found.append(best)
        self.best = sorted(whole for whole, _ in found)[len(found) // 2]
        self.add("goodput_best", [whole for whole, _ in found], "1/s")

    def beyond(self, factor):
        goodput, share, answered, refused, recovery = [], [], [], [], []
        for _ in range(self.options.runs):
            report = self.load(factor * self.best, self.options.seconds)
            goodput.append(self.whole(report))
            share.append(100 * goodput[-1] / self.best)
            answered.append(100 * report["calls"] / max(report["calls"] + report["failed"], 1))
            refused.append(report["failed_p99_ms"])
            others = set(report["failures"]) - {"resourceExhausted"}
            if others:
                raise RuntimeError(f"calls failed otherwise than by RESOURCE_EXHAUSTED: {report['failures']}")
            after = self.load(self.best / 2, 8)
            calm = [number for number, each in enumerate(after["timeline"])
                    if each["failed"] == 0 and each["shortened"] == 0]
            recovery.append(calm[0] if calm else 8)
        self.add(f"goodput_at_{factor}", goodput, "1/s")
        self.add(f"goodput_share_at_{factor}", share, "percent")
        self.add(f"answered_share_at_{factor}", answered, "percent")
        self.add(f"refused_p99_ms_at_{factor}", refused, "ms")
        self.add(f"recovery_seconds_after_{factor}", recovery, "s")

    def busy_and_quiet(self):
        whole, late, busy = [], [], []
        for _ in range(self.options.runs):
            stop = self.fleet.directory / "stop-busy"
            stop.unlink(missing_ok=True)
            arguments = self.load_arguments("--concurrency", "128", "--until", str(stop))
            arguments[arguments.index("--connections") + 1] = "1"
            load = self.fleet.spawn(*arguments)
            try:
                time.sleep(1)
                quiet = self.load(10, self.options.seconds)
            finally:
                stop.touch()
            whole.append(100 * (1 - rank.shortened(quiet) / max(quiet["calls"], 1)) if not quiet["failed"] else 0)
            late.append(quiet["p99_ms"])
            busy.append(self.fleet.finish(load)["per_second"])
        self.add("quiet_whole_percent", whole, "percent")
        self.add("quiet_p99_ms", late, "ms")
        self.add("busy_per_second", busy, "1/s")
