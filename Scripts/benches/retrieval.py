"""The index alone: recall and queries a second on one core, beside ScaNN, faiss, hnswlib and usearch.

Cases are SET-kK-rRECALL, sets of generated vectors (benches/retrieval/generate.py) by titles and dimensions: 1m128,
100k384, 100k128, 10m128. For each recall every subject has the fastest of its settings that reached it on queries
held out for that (Marquee the one that its own build chose with them); then all take turns on other queries, one query
at a time on one core, and recall is against the exact answer by faiss. Metrics: queries_per_second, p50_us, p99_us,
recall, and by set build_seconds and bytes_per_title (resident memory of the process for peers, the segment for Marquee).
SET-k500-filter5pct-rRECALL is Marquee with a bitmap that lets 5 % of the titles pass.

Peers are timed around their call from Python, which costs them some 5 to 20 us; Marquee within its process.
Peers are installed into a virtual environment in run/bench/retrieval (or $MARQUEE_BENCH_DATA/retrieval); one that
can't be installed is left out. hnswlib and usearch take minutes to build, so they are asked for: --subject hnswlib.
"""

import json
import os
import pathlib
import subprocess
import sys

from figures import ROOT, progress

HERE = pathlib.Path(__file__).resolve().parent / "retrieval"
SETS = ["1m128", "100k384", "100k128", "10m128", "10k128"]
SUBJECTS = ["marquee", "scann", "faiss-ivfpq", "hnswlib", "usearch"]


def add_options(parser):
    parser.add_argument("--set", action="append", help=f"vectors to measure with, may be repeated ({', '.join(SETS)}, "
                        "or with --data what is there; 1m128 and 100k384, with --quick 100k128)")
    parser.add_argument("--data", help="a folder with SET_base.npy, SET_query.npy and SET_tune.npy instead of generated")
    parser.add_argument("--seed", type=int, default=1, help="of the generated vectors (1)")
    parser.add_argument("--subject", action="append", choices=SUBJECTS, help="may be repeated (the first three)")
    parser.add_argument("--k", type=int, action="append", help="results a query, may be repeated (500 and 50)")
    parser.add_argument("--rounds", type=int, help="turns of each subject (5; with --quick 2)")
    parser.add_argument("--core", type=int, help="the core of all subjects (the first)")


def run(options, figures):
    folder = pathlib.Path(os.environ.get("MARQUEE_BENCH_DATA") or ROOT / "run" / "bench") / "retrieval"
    folder.mkdir(parents=True, exist_ok=True)
    python = environment(folder / "venv")
    progress("building index-bench")
    subprocess.run(["swift", "build", "-c", "release", "--product", "index-bench"], cwd=ROOT, check=True,
                   stdout=sys.stderr)
    shown = subprocess.run(["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT, check=True,
                           capture_output=True, text=True)
    core = min(os.sched_getaffinity(0)) if options.core is None else options.core
    for name in options.set or (["100k128"] if options.quick else ["1m128", "100k384"]):
        command = [python, str(HERE / "worker.py"), "--set", name, "--out", str(folder),
                   "--data", options.data or str(folder / f"seed{options.seed}"), "--seed", str(options.seed),
                   "--command", str(pathlib.Path(shown.stdout.strip()) / "index-bench"), "--version", figures.version,
                   "--subjects", ",".join(options.subject or SUBJECTS[:3]), "--core", str(core),
                   "--counts", ",".join(map(str, options.k or [500, 50])),
                   "--rounds", str(options.rounds or (2 if options.quick else 5))]
        command += ["--quick"] * options.quick + ["--generate"] * (options.data is None)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            for line in worker.stdout:
                row = json.loads(line)
                figures.add(row["case"], row["metric"], row["values"], row["unit"], row["subject"], row["version"])
        if worker.returncode:
            raise RuntimeError(f"measuring {name} failed: what it said is above")


def environment(folder):
    """A virtual environment with the peers. Each is installed by itself, so that one that fails takes none with it."""
    python = folder / "bin" / "python"
    if not python.exists():
        progress(f"making {folder}")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    stamp = folder / "installed"
    wanted = (HERE / "requirements.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        for requirement in wanted.split():
            progress(f"installing {requirement}")
            done = subprocess.run([str(python), "-m", "pip", "install", "-q", requirement], stdout=sys.stderr)
            if done.returncode:
                progress(f"{requirement} can't be installed; what needs it is left out")
        stamp.write_text(wanted)
    return str(python)
