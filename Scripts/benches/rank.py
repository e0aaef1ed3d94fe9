"""Rank end to end: a replica, mutual TLS, a load generator in a process of its own.

One control node, one region of one replica, a generated catalogue, a ranker of layers in bytes that was trained on a
smaller one; profiles get histories as events before anything is measured. The load is open: its schedule doesn't wait
for answers, and latency counts from the moment that the schedule wanted, so a stalled server can't hide. Then:
  rank_per_second_max  the highest offered rate that is sustained: 99 % of it answered in each second, no call failed,
                       p99 within 50 ms, and at most 0.1 % of replies shortened because of load (a rung of the ladder)
  p50/p99/p999_ms_at_N at 30, 50 and 70 % of that rate
  p99_ms_cutover       the worst second in which replies changed from one snapshot to another, at 50 %; p99_ms_steady
                       are the seconds of the same runs in which nothing happened, p99_ms_staging those in which the
                       replica fetched and verified the next snapshot
  cpu_us_per_rank      the replica's CPU time, all of it, by call at 70 %; rss_mb its resident memory after that,
                       mapped snapshots included, anonymous_mb without them
  stage_us_*           mean time of each stage of a Rank as the replica reports it, at 50 %
  ready_ms             from process start to ready to rank, from its own disk, control node stopped, page cache warm
  publish_bytes_percent  bytes that travelled to the replica when 1 % of the titles changed

The replica has --replica-cores and everything else --load-cores, so that the generator takes nothing from what is
measured: rates are those of the replica's cores. The control node and operators' commands run when the generator doesn't,
so that latencies are those of the replica while it stages, too.
The data is made once and kept in run/bench (or $MARQUEE_BENCH_DATA).
"""

import contextlib
import os
import pathlib
import re
import shutil
import tempfile
import time

from figures import ROOT, progress
from fleet import Fleet

CHANGES = 3
LIMIT_P99_MS = 50


def add_options(parser):
    parser.add_argument("--titles", type=int, help="titles to generate (1000000; with --quick 20000)")
    parser.add_argument("--profiles", type=int, help="profiles that are asked for (5000; with --quick 300)")
    parser.add_argument("--runs", type=int, help="runs of each measurement (3; with --quick 1)")
    parser.add_argument("--seconds", type=float, help="seconds of each run (10; with --quick 2)")
    parser.add_argument("--rate", type=float, help="take this as the highest rate instead of looking for it")
    parser.add_argument("--only", action="append", choices=["rate", "latency", "stages", "cutover", "ready"],
                        help="only this part, may be repeated; those but rate need --rate then")
    parser.add_argument("--replica-cores", help="cores of the replica, as 0 or 0,1 (the first half of them)")
    parser.add_argument("--load-cores", help="cores of everything else (the other half)")
    parser.add_argument("--unpinned", action="store_true", help="let the system place processes")
    parser.add_argument("--fresh", action="store_true", help="make the data again")


def run(options, figures):
    quick = options.quick
    options.titles = options.titles or (20_000 if quick else 1_000_000)
    options.profiles = options.profiles or (300 if quick else 5_000)
    options.runs = options.runs or (1 if quick else 3)
    options.seconds = options.seconds or (2 if quick else 10)
    if options.seconds < 2 or options.runs < 1:
        raise RuntimeError("--seconds is at least 2, --runs at least 1")
    parts = set(options.only or ["rate", "latency", "stages", "cutover", "ready"])
    if not options.rate and "rate" not in parts and parts != {"ready"}:
        raise RuntimeError("--only without rate needs --rate")
    home = data(options)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="marquee-bench-"))
    bench = RankBench(Fleet(directory, regions=("north",), replicas=1, gives_way=True), home, options, figures)
    try:
        bench.start()
        if "rate" in parts:
            bench.find_rate()
        if "latency" in parts:
            bench.latencies()
        if "stages" in parts:
            bench.stages()
        if "cutover" in parts:
            bench.cutovers()
        if "ready" in parts:
            bench.ready()
        bench.end()
    finally:
        bench.fleet.close()
        shutil.rmtree(directory, ignore_errors=True)


# --- data


def case_name(titles):
    return f"{titles // 1_000_000}m" if titles % 1_000_000 == 0 else f"{titles // 1000}k"


def data(options):
    """A workspace, a library with snapshot 1 and one with 1 % changed for each run of a cutover, and the key."""
    base = pathlib.Path(os.environ.get("MARQUEE_BENCH_DATA") or ROOT / "run" / "bench")
    home = base / case_name(options.titles)
    maker = Fleet(home)
    changes = min(CHANGES, options.runs)
    if options.fresh or is_old(home):
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    common = ["--titles", str(options.titles), "--profiles", str(options.titles // 10), "--seed", "1"]
    library = ["--library", str(home / "library"), "--key", str(home / "signing.key")]
    if not (home / "signing.key").exists():
        maker.run("keys", "generate", str(home / "signing.key"))
    ranker = home / "ranker"
    if not ranker.exists():
        # Snapshots of before have another one.
        shutil.rmtree(home / "library", ignore_errors=True)
        train_ranker(maker, home / "training", ranker)
    library += ["--ranker", str(ranker)]
    # A directory is there when it is complete: it is made under another name.
    if not (home / "catalogue-1").exists():
        progress(f"generating {options.titles:,} titles")
        shutil.rmtree(home / "making", ignore_errors=True)
        maker.run("catalog", "generate", *common, "--out", str(home / "making"), timeout=3600)
        (home / "making").rename(home / "catalogue-1")
    built = sequences(maker, home, library[:4])
    if 1 not in built:
        progress("building snapshot 1")
        maker.run("snapshot", "build", str(home / "catalogue-1"), *library, "--sequence", "1", timeout=3600)
    for sequence in range(2, 2 + changes):
        if sequence in built:
            continue
        progress(f"building snapshot {sequence}: 1 % of the titles changed")
        shutil.rmtree(home / "making", ignore_errors=True)
        maker.run("catalog", "generate", *common, "--change-percent", "1", "--change-seed", str(sequence), "--out",
                  str(home / "making"), timeout=3600)
        maker.run("snapshot", "build", str(home / "making"), *library, "--sequence", str(sequence), "--parent", "1",
                  timeout=3600)
        shutil.rmtree(home / "making")
    return home


def train_ranker(maker, directory, out):
    """Layers trained on a catalogue of 20,000 titles, then brought to bytes."""
    progress("training a ranker")
    shutil.rmtree(directory, ignore_errors=True)
    workspace, floats, rows = (str(directory / name) for name in ("catalogue", "floats", "rows"))
    maker.run("catalog", "generate", "--titles", "20000", "--profiles", "4000", "--seed", "2", "--out", workspace)
    maker.run("train", workspace, "--out", floats, "--rows", rows, timeout=600)
    maker.run("model", "quantise", floats, "--rows", f"{rows}/train-features.npy", "--groups",
              f"{rows}/train-groups.npy", "--out", str(directory / "ranker"))
    (directory / "ranker").rename(out)
    shutil.rmtree(directory)


def is_old(home):
    """Snapshots expire after 30 days."""
    manifests = home / "library" / "manifests"
    return manifests.exists() and min(p.stat().st_mtime for p in manifests.iterdir()) < time.time() - 20 * 86_400


def sequences(maker, home, library):
    if not (home / "library" / "manifests").exists():
        return set()
    return {each["sequence"] for each in maker.json("snapshot", "list", *library)}


def profiles_with_history(workspace, count, events_min=10):
    """Profiles with at least `events_min` interactions, evenly from the file."""
    seen = {}
    with open(workspace / "interactions.csv", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            profile = line[:line.index(",")]
            seen[profile] = seen.get(profile, 0) + 1
    busy = sorted(name for name, events in seen.items() if events >= events_min)
    if not busy:
        raise RuntimeError(f"nobody in {workspace} has {events_min} interactions")
    step = max(1, len(busy) // count)
    return busy[::step][:count]


# --- measurements


class RankBench:
    def __init__(self, fleet, home, options, figures):
        self.fleet, self.home, self.options, self.figures = fleet, home, options, figures
        self.case = case_name(options.titles)
        self.rate = options.rate
        self.failed = 0
        self.loads = []
        cores = sorted(os.sched_getaffinity(0))
        half = max(1, len(cores) // 2)
        self.replica_cores = numbers(options.replica_cores) or set(cores[:half])
        self.load_cores = numbers(options.load_cores) or set(cores[half:] or cores)
        if options.unpinned:
            self.replica_cores = self.load_cores = set(cores)

    def add(self, metric, values, unit):
        self.figures.add(self.case, metric, values, unit)

    @contextlib.contextmanager
    def on(self, cores):
        """Children that start in the block stay on these cores, all their threads from the first on."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def start(self):
        fleet, options = self.fleet, self.options
        fleet.set_up(signing_key=self.home / "signing.key")
        fleet.library = self.home / "library"
        placed = ("placed by the system" if options.unpinned else
                  f"replica on cores {sorted(self.replica_cores)}, load and control on {sorted(self.load_cores)}")
        self.threads = len(self.replica_cores)
        self.figures.note(f"case {self.case}: {options.titles:,} generated titles, {options.profiles:,} profiles with "
                          f"histories; {placed}, {self.threads} ranking threads; mutual TLS")
        os.sched_setaffinity(0, self.load_cores)
        progress("starting a control node and a replica, publishing snapshot 1")
        fleet.start_control()
        with self.on(self.replica_cores):
            fleet.start_replica("north-1", "--threads", str(self.threads))
        fleet.wait_connected()
        fleet.publish(1, "--timeout", "300")
        fleet.wait_serving(1, timeout=300)
        self.profiles = fleet.directory / "profiles.txt"
        names = profiles_with_history(self.home / "catalogue-1", options.profiles)
        self.profiles.write_text("\n".join(names) + "\n")
        replayed = fleet.json("events", "replay", str(self.home / "catalogue-1"), "--as-of-now", "--profiles",
                              str(self.profiles), "--edge", fleet.address("north-1"), "--certs", str(fleet.certs))
        progress(f"{replayed['accepted']:,} events recorded for {len(names):,} profiles in {replayed['seconds']:.1f} s")
        self.load(50, 2)

    def load_arguments(self, *extra):
        return ["load", "--profiles", str(self.profiles), "--country", "US", "--edge", self.fleet.address("north-1"),
                "--connections", "4", "--certs", str(self.fleet.certs), *extra]

    def load(self, rate, seconds, *extra):
        report = self.fleet.json(*self.load_arguments("--rate", f"{rate:.1f}", "--seconds", f"{seconds:g}", *extra))
        self.loads.append(os.getloadavg()[0])
        return report

    def measured(self, rate, seconds, *extra):
        """A load below the highest rate: a call that fails counts."""
        report = self.load(rate, seconds, *extra)
        self.failed += report["failed"]
        return report

    # The highest rate.

    def find_rate(self):
        """Each run halves an interval and then holds what it found for a full run, or goes down."""
        found = []
        short = max(self.options.seconds / 2, 3)
        # Two calls a thread never wait long enough to be shortened: what this reaches is the capacity, nearly.
        closed = self.fleet.json(*self.load_arguments("--concurrency", f"{2 * self.threads}", "--seconds", f"{short:g}"))
        capacity = closed["per_second"] * (1 - shortened(closed) / max(closed["calls"], 1))
        low, high = 0.5 * capacity, 1.1 * capacity
        progress(f"two calls a thread in flight: {capacity:.0f} a second, p50 {closed['p50_ms']:.1f} ms")
        for number in range(self.options.runs):
            precision = 0.1 if self.options.quick else 0.03
            while high - low > precision * high:
                middle = (low + high) / 2
                if self.is_sustained(middle, short):
                    low = middle
                else:
                    high = middle
            while not self.is_sustained(low, self.options.seconds):
                low *= 0.95
                if low < 0.05 * capacity:
                    raise RuntimeError("no rate is sustained")
            found.append(low)
            progress(f"run {number + 1}: {low:.0f} a second sustained")
            low, high = 0.85 * found[0], 1.15 * found[0]
        self.add("rank_per_second_max", found, "1/s")
        self.rate = self.rate or sorted(found)[len(found) // 2]

    def is_sustained(self, rate, seconds):
        """What did not hold is tried once more: a machine has other things to do, too."""
        return self.holds(rate, seconds) or self.holds(rate, seconds)

    def holds(self, rate, seconds):
        report = self.load(rate, seconds)
        late = shortened(report)
        whole = [each["calls"] for each in report["timeline"][1:int(seconds)]]
        answered = sum(whole) / len(whole) / rate if whole else 0
        good = (report["failed"] == 0 and report["empty"] == 0 and answered >= 0.99
                and report["p99_ms"] <= LIMIT_P99_MS and late <= report["calls"] / 1000)
        progress(f"  {rate:6.0f} a second: {100 * answered:5.1f} % answered, p50 {report['p50_ms']:.1f}, "
                 f"p99 {report['p99_ms']:.1f} ms, {report['failed']} failed, {late} shortened: "
                 f"{'holds' if good else 'too much'}")
        return good

    # Latency, memory, CPU.

    def latencies(self):
        cpu, resident, anonymous = [], [], []
        for percent in (30, 50, 70):
            reports = []
            for _ in range(self.options.runs):
                before = self.fleet.cpu_seconds("north-1")
                reports.append(self.measured(self.rate * percent / 100, self.options.seconds))
                if percent == 70:
                    cpu.append(1e6 * (self.fleet.cpu_seconds("north-1") - before) / max(reports[-1]["calls"], 1))
                    resident.append(self.fleet.resident_mb("north-1"))
                    anonymous.append(self.fleet.anonymous_mb("north-1"))
            for name in ("p50", "p99", "p999"):
                self.add(f"{name}_ms_at_{percent}", [report[f"{name}_ms"] for report in reports], "ms")
        self.add("cpu_us_per_rank", cpu, "us")
        self.add("rss_mb", resident, "MB")
        self.add("anonymous_mb", anonymous, "MB")

    def stages(self):
        reports = [self.measured(self.rate / 2, self.options.seconds, "--debug") for _ in range(self.options.runs)]
        for stage in reports[0]["stage_microseconds"]:
            self.add(f"stage_us_{stage}", [report["stage_microseconds"].get(stage, 0) for report in reports], "us")

    # Cutovers.

    def cutovers(self):
        """Each run publishes a snapshot with 1 % changed under load, rolls back, and is done."""
        steady, cutover, staging, moved, took = [], [], [], [], []
        pause = min(self.options.seconds / 2, 4)
        for sequence in range(2, 2 + min(CHANGES, self.options.runs)):
            stop = self.fleet.directory / f"stop-{sequence}"
            load = self.fleet.spawn(*self.load_arguments("--rate", f"{self.rate / 2:.1f}", "--until", str(stop)))
            try:
                time.sleep(pause)
                began = time.time()
                published = self.fleet.publish(sequence, "--timeout", "300")
                self.fleet.wait_serving(sequence)
                served = time.time()
                time.sleep(pause)
                self.fleet.operate("rollback", "--to", "1", "--key", str(self.fleet.key))
                self.fleet.wait_serving(1)
                time.sleep(pause)
            finally:
                stop.touch()
            report = self.fleet.finish(load)
            self.failed += report["failed"]
            calm, busy, changing = seconds_of(report, began, served)
            if not changing:
                raise RuntimeError(f"no second of the load saw a cutover to snapshot {sequence}")
            steady.append(sorted(calm)[len(calm) // 2] if calm else report["p99_ms"])
            cutover += changing
            staging.append(max(busy) if busy else max(changing))
            took.append(served - began)
            moved.append(100 * published["bytes_received"] / published["bytes_total"])
        self.add("p99_ms_steady", steady, "ms")
        self.add("p99_ms_cutover", cutover, "ms")
        self.add("p99_ms_cutover_worst", max(cutover), "ms")
        self.add("p99_ms_staging", staging, "ms")
        self.add("publish_seconds", took, "s")
        self.add("publish_bytes_percent", moved, "percent")

    # Ready.

    def ready(self):
        """The control node is gone; the replica restarts from its disk with all cores of the machine."""
        self.fleet.stop("control")
        times = []
        for _ in range(max(self.options.runs, 3)):
            if self.fleet.stop("north-1") != 0:
                raise RuntimeError("the replica did not end well:\n" + self.fleet.log("north-1")[-2000:])
            before = self.fleet.log("north-1").count("ready to rank")
            with self.on(self.replica_cores | self.load_cores):
                self.fleet.start_replica("north-1")
            self.fleet.wait_for("the replica to be ready",
                                lambda count=before: self.fleet.log("north-1").count("ready to rank") > count)
            times.append(float(re.findall(r"ready to rank: (\d+) ms", self.fleet.log("north-1"))[-1]))
            self.fleet.wait_for("a reply", lambda: self.load(20, 1)["failed"] == 0)
        self.add("ready_ms", times, "ms")

    def end(self):
        self.add("failed_calls", self.failed, "calls")
        self.add("load_average", self.loads or [os.getloadavg()[0]], "processes")


def shortened(report):
    """Replies with a rung that load makes a replica take."""
    return sum(second["shortened"] for second in report["timeline"])


def numbers(text):
    return {int(part) for part in text.split(",")} if text else None


def seconds_of(report, began, served):
    """p99 of the calm seconds, of those while a snapshot was fetched, and of those that answered from two."""
    start = min(region["first_ms"] for region in report["regions"].values()) / 1000
    calm, busy, changing = [], [], []
    last = None
    for number, second in list(enumerate(report["timeline"]))[1:-1]:
        now = set(second["sequences"])
        if len(now) > 1 or (last is not None and now and now != last):
            changing.append(second["p99_ms"])
        elif began - 1 < start + number <= served:
            busy.append(second["p99_ms"])
        else:
            calm.append(second["p99_ms"])
        last = now if len(now) == 1 else None
    return calm, busy, changing
