"""Rankers alone: 500 rows of 64 features a call, one thread, beside the libraries that the models come from.

Cases: mlp-64x32 and mlp-256x128 (two hidden layers, in bytes), lgbm-200x31 and lgbm-500x63 (trees x leaves),
xgb-200d6 (depth 6). Subjects: marquee; lightgbm (its C API, one thread), lleaves (LightGBM's trees compiled), xgboost,
onnxruntime (QDQ, 8 bits by its static quantiser), onnxruntime-float. Metrics:
  rows_per_second  rows of a call by its median time
  p50_us, p99_us   of a call
  loss             the largest difference to what the model's own library says of 50,000 rows; for layers in bytes the
                   largest and, as mean_loss, the mean difference of probabilities

All run on one core and take turns, so that each round sees the same machine; values are medians of the rounds. The
first run installs the peers with pip and trains the models in run/bench/ranker (or $MARQUEE_BENCH_DATA/ranker): some
minutes, mostly lleaves compiling.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

from figures import ROOT, progress

PARTS = pathlib.Path(__file__).resolve().parent / "ranker"
BATCH = 500
CASES = {
    "mlp-64x32": ("layers", ["onnxruntime", "onnxruntime-float"]),
    "mlp-256x128": ("layers", ["onnxruntime", "onnxruntime-float"]),
    "lgbm-200x31": ("trees", ["lightgbm", "lleaves"]),
    "lgbm-500x63": ("trees", ["lightgbm", "lleaves"]),
    "xgb-200d6": ("trees", ["xgboost"]),
}
SUFFIXES = {"mlp": ".onnx", "lgbm": ".txt", "xgb": ".json"}


def add_options(parser):
    parser.add_argument("--rounds", type=int, help="turns of each subject (9; with --quick 2)")
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this case, may be repeated")
    parser.add_argument("--core", type=int, default=0, help="the core of everything (0)")
    parser.add_argument("--binary", help="this ranker-bench, instead of building the release")


def run(options, figures):
    home = pathlib.Path(os.environ.get("MARQUEE_BENCH_DATA", ROOT / "run" / "bench")).resolve() / "ranker"
    home.mkdir(parents=True, exist_ok=True)
    python = environment(home)
    binary = pathlib.Path(options.binary).resolve() if options.binary else build()
    folder = home / ("quick" if options.quick else "full")
    models(folder, python, options.quick)
    cases = options.case or list(CASES)
    rounds = options.rounds or (2 if options.quick else 9)
    for case in cases:
        prepare(folder, case, binary)
        losses(folder, case, binary, python, figures)
    measure(folder, cases, rounds, binary, python, options, figures)


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
    progress("building ranker-bench")
    done = subprocess.run(["swift", "build", "-c", "release", "--product", "ranker-bench"], cwd=ROOT,
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ranker-bench does not build:\n{done.stdout[-2000:]}")
    return ROOT / ".build" / "release" / "ranker-bench"


def models(folder, python, quick):
    if (folder / "complete").exists():
        return
    progress("training models")
    folder.mkdir(exist_ok=True)
    command = [python, "-B", PARTS / "peers.py", "train", folder] + (["--quick"] if quick else [])
    if subprocess.run(command, stdout=sys.stderr).returncode:
        raise RuntimeError("the models could not be trained: see above")
    (folder / "complete").touch()


def tool(binary, *arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ranker-bench {arguments[0]}: {done.stderr.strip()[-500:]}")


def prepare(folder, case, binary):
    """The case's segment, made by this build."""
    source = folder / (case + SUFFIXES[case.split("-")[0]])
    if CASES[case][0] == "layers":
        tool(binary, "import", source, folder / f"{case}-float.segment")
        tool(binary, "quantise", folder / f"{case}-float.segment", folder / f"{case}-calibration.npy",
             folder / f"{case}.segment")
    else:
        tool(binary, "import", source, folder / f"{case}.segment")


def losses(folder, case, binary, python, figures):
    tool(binary, "outputs", folder / f"{case}.segment", folder / f"{CASES[case][0]}-rows.npy", folder / "outputs.npy")
    compare = ("import numpy, sys; a = numpy.load(sys.argv[1]); b = numpy.load(sys.argv[2]); d = abs(a.ravel() - b); "
               "print(d.max(), d.mean())")
    done = subprocess.run([python, "-c", compare, folder / "outputs.npy", folder / f"{case}-expected.npy"],
                          capture_output=True, text=True, check=True)
    largest, mean = map(float, done.stdout.split())
    if CASES[case][0] == "trees" and largest > 1e-6:
        raise RuntimeError(f"{case}: scores differ from the library's by {largest:g}")
    figures.add(case, "loss", largest, "probability")
    if CASES[case][0] == "layers":
        figures.add(case, "mean_loss", mean, "probability")


class Turn:
    """One process that makes so many calls when told to."""

    def __init__(self, command, core):
        self.process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args[3]} ended in the middle")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(folder, cases, rounds, binary, python, options, figures):
    peers = Turn([python, "-B", PARTS / "peers.py", "serve", folder], options.core)
    ours = {case: Turn([binary, "serve", folder / f"{case}.segment", folder / f"{CASES[case][0]}-rows.npy", BATCH],
                       options.core) for case in cases}
    times, versions, missing = {}, {}, set()
    try:
        # The first round warms up.
        for number in range(rounds + 1):
            for case in cases:
                for subject in ["marquee", *CASES[case][1]]:
                    if (case, subject) in missing:
                        continue
                    calls = 20 if number == 0 or options.quick else 150 if subject in ("lightgbm", "lleaves") else 400
                    if subject == "marquee":
                        found = [int(word) for word in ours[case].ask(str(calls)).split()]
                    else:
                        answer = json.loads(peers.ask(f"{case} {subject} {calls}"))
                        if "error" in answer:
                            figures.note(f"{case} without {subject}: {answer['error']}")
                            missing.add((case, subject))
                            continue
                        found, versions[subject] = answer["times"], answer["version"]
                    if number > 0:
                        times.setdefault((case, subject), []).append(sorted(found))
            progress(f"round {number} of {rounds}")
    finally:
        for turn in [peers, *ours.values()]:
            turn.close()
    report(times, versions, figures)


def report(times, versions, figures):
    for (case, subject), turns in times.items():
        middles = [statistics.median(turn) for turn in turns]
        version = versions.get(subject)
        figures.add(case, "rows_per_second", [BATCH * 1e9 / middle for middle in middles], "rows/s", subject, version)
        figures.add(case, "p50_us", [middle / 1e3 for middle in middles], "µs", subject, version)
        figures.add(case, "p99_us", [turn[len(turn) * 99 // 100] / 1e3 for turn in turns], "µs", subject, version)
        if subject != "marquee":
            # Within rounds, so that the machine's moods don't count.
            ratios = [statistics.median(peer) / statistics.median(own)
                      for peer, own in zip(turns, times[case, "marquee"])]
            figures.note(f"{case}: marquee is {statistics.median(ratios):.1f} × {subject}")
