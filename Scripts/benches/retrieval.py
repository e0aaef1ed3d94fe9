"""The index alone: one query at a time, one thread, beside other libraries on the same data.

Cases: 1m128 and 100k384 (titles x dimensions) and, only when asked for, 10m128 and size-N (N titles of 128), each as
CASE-k500-r0.95 and so on for recall@500 of 0.90, 0.95, 0.98 and 0.99; 1m128-k50-...; 1m128-k500-filter5pct-..., where a
random twentieth of the titles may be found, and 1m128-k500-filter5pct-own-..., where the request brings the bitmap.
--data DIR takes DIR/base.npy and DIR/query.npy (float32, unit length) as a case of that folder's name.
Subjects: marquee; scann (its re-scoring in floats) and scann-int8; faiss-ivfpq (IVF,PQx4fsr,RFlat); with --peer hnswlib
and usearch (f16), whose builds take many minutes. Metrics:
  queries_per_second   by the mean time of a query
  p50_us, p99_us       of a query
  recall               of the same searches, against the exact answer that faiss gives
  build_seconds        one thread
  build_peak_bytes     the most memory that our build had, mapped vectors among it
  bytes_per_title      of the index as it lies on disk; refining reads the vectors beside it, 2 bytes a dimension more
  overrun_p50_us, _p99 of a query whose deadline of 50 µs comes while it looks into every list
  over_unfiltered      time with the filter by the time without it, at the same recall
A setting reaches its recall on tuning queries: the peers' on those of the data, ours on those that the build makes up.
Peers are called from Python: what a call costs that has nothing to do is noted, and ratios with and without it.

All run on one core and take turns, so that each round sees the same machine; values are medians of the rounds. The
first run installs the peers with pip and makes the data in run/bench/retrieval (or $MARQUEE_BENCH_DATA/retrieval).
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

from figures import ROOT, progress

PARTS = pathlib.Path(__file__).resolve().parent / "retrieval"
RECALLS = ["0.90", "0.95", "0.98", "0.99"]
CASES = ["1m128-k500", "1m128-k50", "1m128-k500-filter5pct", "1m128-k500-filter5pct-own", "100k384-k500"]
PEERS = ["scann", "scann-int8", "faiss-ivfpq", "hnswlib", "usearch"]


def add_options(parser):
    parser.add_argument("--rounds", type=int, help="turns of each subject (5; with --quick 1)")
    parser.add_argument("--case", action="append", help="only this case (1m128-k500 ...), may be repeated")
    parser.add_argument("--peer", action="append", choices=PEERS, help="only this peer, may be repeated")
    parser.add_argument("--alone", action="store_true", help="no peers")
    parser.add_argument("--data", help="a folder with base.npy and query.npy instead of made-up titles")
    parser.add_argument("--seed", type=int, default=20240611, help="of the made-up titles")
    parser.add_argument("--core", type=int, default=0, help="the core of everything (0)")
    parser.add_argument("--binary", help="this index-bench, instead of building the release")
    parser.add_argument("--plot", help="write recall against speed of each case as DIR/retrieval-CASE.png, and time "
                        "against titles as DIR/retrieval-sizes.png where there are several size-N")


def run(options, figures):
    home = pathlib.Path(os.environ.get("MARQUEE_BENCH_DATA", ROOT / "run" / "bench")).resolve() / "retrieval"
    home.mkdir(parents=True, exist_ok=True)
    python = environment(home)
    binary = pathlib.Path(options.binary).resolve() if options.binary else build()
    if options.data:
        cases = [f"{pathlib.Path(options.data).resolve().name}-k500"]
    else:
        cases = options.case or (["20k64-k500"] if options.quick else CASES)
    peers = [] if options.alone else options.peer or PEERS[:3]
    points, sizes = {}, {}
    for titles in dict.fromkeys(case.partition("-k")[0] for case in cases):
        folder = data(home, titles, python, options)
        bench = Bench(folder, titles, binary, python, options, figures, points, sizes)
        bench.indexes(peers)
        for case in cases:
            if case.partition("-k")[0] == titles:
                bench.measure(case, peers)
    if options.plot:
        draw(points, python, pathlib.Path(options.plot))
        if any(len(of_subject) > 1 for of_subject in sizes.values()):
            plot(python, pathlib.Path(options.plot) / "retrieval-sizes.png", "recall 0.95 of 500", sizes, "sizes")


def environment(home):
    python = home / "venv" / "bin" / "python"
    wanted = PARTS / "requirements.txt"
    installed = home / "venv" / "requirements.txt"
    if not installed.exists() or installed.read_text() != wanted.read_text():
        progress("installing the peers with pip")
        subprocess.run([sys.executable, "-m", "venv", "--clear", home / "venv"], check=True)
        pip = subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", wanted])
        if pip.returncode:
            raise RuntimeError("pip could not install the peers: see above")
        installed.write_text(wanted.read_text())
    return python


def build():
    progress("building index-bench")
    done = subprocess.run(["swift", "build", "-c", "release", "--product", "index-bench"], cwd=ROOT,
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"index-bench does not build:\n{done.stdout[-2000:]}")
    return ROOT / ".build" / "release" / "index-bench"


def data(home, titles, python, options):
    folder = home / (titles if options.data else f"{titles}-{options.seed}")
    if (folder / "complete").exists():
        return folder
    folder.mkdir(exist_ok=True)
    progress(f"making {titles} and finding the exact neighbours")
    if options.data:
        what = ["take", folder, pathlib.Path(options.data).resolve()]
    else:
        shape = re.fullmatch(r"(?:size-)?(\d+)([km]?)(\d*)", titles)
        if not shape:
            raise RuntimeError(f"{titles}: a case is called like 1m128-k500")
        count = int(shape[1]) * {"": 1, "k": 1000, "m": 1_000_000}[shape[2]]
        what = ["make", folder, count, shape[3] or 128, options.seed]
    if subprocess.run([python, "-B", PARTS / "data.py", *map(str, what)], stdout=sys.stderr).returncode:
        raise RuntimeError("the data could not be made: see above")
    (folder / "complete").touch()
    return folder


class Turn:
    """One process that searches when told to."""

    def __init__(self, command, core):
        self.process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.hello = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[3]} ended in the middle")
        return line

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return sorted(int(word) for word in self.answer().split())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    """All subjects on one set of titles."""

    def __init__(self, folder, titles, binary, python, options, figures, points, sizes):
        self.folder, self.titles, self.binary, self.python = folder, titles, binary, python
        self.options, self.figures, self.points, self.sizes = options, figures, points, sizes
        self.rounds = options.rounds or (1 if options.quick else 5)

    def indexes(self, peers):
        """Builds them, one after the other, on the same core."""
        for subject in ["marquee", *peers]:
            record = self.folder / f"{subject}.json"
            if subject == "marquee":
                progress(f"building the index of {self.titles}")
                command = [self.binary, "build", self.folder / "base.npy", self.folder]
            elif record.exists():
                command = None
            else:
                progress(f"{subject} builds its index of {self.titles}")
                command = [self.python, "-B", PARTS / "peers.py", "build", self.folder, subject]
            if command:
                done = subprocess.run(["taskset", "-c", str(self.options.core), *map(str, command)],
                                      capture_output=True, text=True)
                if done.returncode:
                    raise RuntimeError(f"{subject} does not build: {done.stderr.strip()[-1000:]}")
                record.write_text(done.stdout)
            built = json.loads(record.read_text())
            self.figures.add(self.titles, "build_seconds", built["seconds"], "s", subject)
            self.figures.add(self.titles, "bytes_per_title", built["bytes"] / self.count(), "B", subject)
            if "peak_bytes" in built:
                self.figures.add(self.titles, "build_peak_bytes", built["peak_bytes"], "B", subject)

    def count(self):
        with open(self.folder / "base.npy", "rb") as file:
            return int(re.search(rb"'shape': \((\d+),", file.read(200))[1])

    def measure(self, case, peers):
        k = int(re.search(r"-k(\d+)", case)[1])
        isFiltered = "filter5pct" in case
        progress(f"{case}: tuning")
        ours = [self.binary, "serve", self.folder, self.folder / "query.npy", k]
        turns = {"marquee": Turn(ours + ([] if k == 500 else ["--tune", self.folder / "tune.npy"]), self.options.core)}
        try:
            for subject in [] if isFiltered else peers:
                turns[subject] = Turn([self.python, "-B", PARTS / "peers.py", "serve", self.folder, subject, k],
                                      self.options.core)
            self.rounds_of(case, k, turns, isFiltered)
        finally:
            for turn in turns.values():
                turn.close()

    def rounds_of(self, case, k, turns, isFiltered):
        hello = {subject: json.loads(turn.hello) for subject, turn in turns.items() if subject != "marquee"}
        found = self.folder / "found.bin"
        times, recalls = {}, {}
        # The first round warms up, and is where recall is measured.
        for number in range(self.rounds + 1):
            for wanted in RECALLS:
                for subject, turn in turns.items():
                    if subject != "marquee" and wanted not in hello[subject]["recalls"]:
                        continue
                    file = found if number == 0 else "-"
                    if subject == "marquee":
                        if isFiltered:
                            plain = turn.ask(f"{wanted} - 1 -")
                            if number:
                                times.setdefault((wanted, "plain"), []).append(plain)
                        bitmap = f"{'=' if case.endswith('-own') else ''}{self.folder / 'filter.bin'}"
                        line = f"{wanted} {bitmap if isFiltered else '-'} 1 {file}"
                    else:
                        line = f"{wanted} 1 {file}"
                    found.unlink(missing_ok=True)
                    answer = turn.ask(line)
                    if number:
                        times.setdefault((wanted, subject), []).append(answer)
                    else:
                        recalls[wanted, subject] = self.recall(found, k, isFiltered)
            progress(f"{case}: round {number} of {self.rounds}")
        if not isFiltered:
            # As long as it may, looking into every list: how much longer it took than it was given.
            over = [time / 1e3 - 50 for time in turns["marquee"].ask("late:50 - 2 -")]
            self.figures.add(case, "overrun_p50_us", over[len(over) // 2], "µs")
            self.figures.add(case, "overrun_p99_us", over[len(over) * 99 // 100], "µs")
        self.report(case, times, recalls, hello)

    def recall(self, found, k, isFiltered):
        truth = self.folder / ("filter-truth.npy" if isFiltered else "truth.npy")
        code = ("import numpy, sys; k = int(sys.argv[3]); t = numpy.load(sys.argv[2])[:, :k]; "
                "f = numpy.fromfile(sys.argv[1], numpy.uint32).reshape(len(t), k); "
                "print(sum(len(numpy.intersect1d(a, b)) for a, b in zip(f, t)) / t.size)")
        done = subprocess.run([self.python, "-c", code, found, truth, str(k)], capture_output=True, text=True, check=True)
        return float(done.stdout)

    def report(self, case, times, recalls, hello):
        for (wanted, subject), turns in times.items():
            if subject == "plain":
                continue
            name = f"{case}-r{wanted}"
            version = hello[subject]["version"] if subject in hello else None
            means = [statistics.fmean(turn) for turn in turns]
            self.figures.add(name, "queries_per_second", [1e9 / mean for mean in means], "1/s", subject, version)
            self.figures.add(name, "p50_us", [turn[len(turn) // 2] / 1e3 for turn in turns], "µs", subject, version)
            self.figures.add(name, "p99_us", [turn[len(turn) * 99 // 100] / 1e3 for turn in turns], "µs", subject, version)
            self.figures.add(name, "recall", recalls[wanted, subject], "", subject, version)
            self.points.setdefault(case, {}).setdefault(subject, []).append(
                (recalls[wanted, subject], 1e9 / statistics.median(means)))
            if self.titles.startswith("size-") and wanted == "0.95":
                halves = [turn[len(turn) // 2] / 1e3 for turn in turns]
                self.sizes.setdefault(subject, []).append((self.count(), statistics.median(halves)))
            # Within rounds, so that the machine's moods don't count.
            own = times[wanted, "marquee"]
            if (wanted, "plain") in times:
                ratios = [statistics.fmean(a) / statistics.fmean(b) for a, b in zip(own, times[wanted, "plain"])]
                self.figures.add(name, "over_unfiltered", ratios, "")
            if subject != "marquee":
                overhead = hello[subject]["overhead_us"] * 1e3
                pairs = [(statistics.fmean(a), statistics.fmean(b)) for a, b in zip(turns, own)]
                self.figures.note(
                    f"{name}: marquee is {statistics.median(a / b for a, b in pairs):.1f} × {subject}, "
                    f"{statistics.median((a - overhead) / b for a, b in pairs):.1f} × without the {overhead / 1e3:.0f} µs "
                    f"of its call")


def draw(points, python, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for case, subjects in points.items():
        plot(python, folder / f"retrieval-{case}.png", case, subjects)


def plot(python, file, title, subjects, *kind):
    done = subprocess.run([python, "-B", PARTS / "plot.py", file, title, *kind], input=json.dumps(subjects), text=True)
    if done.returncode == 0:
        progress(f"drew {file}")
