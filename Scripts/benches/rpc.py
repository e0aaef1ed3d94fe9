"""The RPC stack alone: one unary call, beside a minimal C server, C++ gRPC and grpc-swift-2.

marquee.v1.Ranking/Rank with a request of about 200 bytes, decoded, and a reply of about 2 KB, 50 titles that depend on
the request, made and encoded for each call; by all servers alike, and checked to be the same bytes. Subjects:
  marquee              the whole of Wire, answers on its event loop, the reply by the straight-line encoder
  marquee-protobuf-c   the same with protobuf-c both ways, as c-nghttp2 has it: what differs is the stack
  marquee-pool         as marquee, the answer made by a thread of a pool
  c-nghttp2            nghttp2, epoll, OpenSSL and protobuf-c with nothing between (benches/rpc/nghttp2-server.c)
  grpc-cpp             Debian's C++ gRPC, callback API
  grpc-swift-2         grpc-swift-2 with its NIO transport and swift-protobuf
Cases: h2c-1 (one call in flight), h2c-128 and tls-128 (8 connections of 16 calls each). Metrics:
  requests_per_server_cpu_second  calls by CPU time of the server's process, user and system, as the kernel counts it:
                                  it doesn't matter whether the generator keeps up
  p50_us, p99_us                  as h2load sees it, in runs of their own
  rss_mb                          resident memory after the runs
  allocations_per_request         calls of malloc and its kin, in runs of their own under a counting malloc

The servers run on one core and h2load on another. All servers are up all the time and take turns under load, so that
each round sees the same machine; values are medians of the rounds, ratios are taken within rounds.
The first run builds the servers in run/bench/rpc (or $MARQUEE_BENCH_DATA/rpc): a quarter of an hour for grpc-swift-2.
"""

import json
import os
import pathlib
import statistics
import sys

from figures import ROOT, progress

PARTS = pathlib.Path(__file__).resolve().parent / "rpc"
sys.path.insert(0, str(PARTS))

from load import Load, check_reply  # noqa: E402
from servers import Builder, SUBJECTS  # noqa: E402

CASES = {"h2c-1": (False, 1, 1), "h2c-128": (False, 8, 16), "tls-128": (True, 8, 16)}
BASELINE = PARTS / "allocations.json"


def add_options(parser):
    parser.add_argument("--rounds", type=int, help="turns of each server (9; with --quick 2)")
    parser.add_argument("--seconds", type=float, help="seconds of each turn (1; with --quick 0.3)")
    parser.add_argument("--only", action="append", choices=list(SUBJECTS), help="only this subject, may be repeated")
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this case, may be repeated")
    parser.add_argument("--server-core", type=int, help="the core of the servers (the first)")
    parser.add_argument("--load-core", type=int, help="the core of h2load (the last)")
    parser.add_argument("--check", action="store_true",
                        help="only count Marquee's allocations a request, and fail above benches/rpc/allocations.json")
    parser.add_argument("--set-baseline", action="store_true", help="write what --check counts to that file")


def run(options, figures):
    if options.check or options.set_baseline:
        return check_allocations(options)
    rounds = options.rounds or (2 if options.quick else 9)
    seconds = options.seconds or (0.3 if options.quick else 1)
    if rounds < 1 or seconds <= 0:
        raise RuntimeError("--rounds is at least 1, --seconds more than 0")
    bench = RPCBench(options, figures, rounds, seconds)
    try:
        bench.start()
        bench.take_turns()
        bench.count_allocations()
        bench.report()
    finally:
        bench.stop()


def base():
    return pathlib.Path(os.environ.get("MARQUEE_BENCH_DATA") or ROOT / "run" / "bench") / "rpc"


class RPCBench:
    def __init__(self, options, figures, rounds, seconds):
        self.figures, self.rounds, self.seconds = figures, rounds, seconds
        cores = sorted(os.sched_getaffinity(0))
        self.server_core = cores[0] if options.server_core is None else options.server_core
        load_core = cores[-1] if options.load_core is None else options.load_core
        self.names = options.only or list(SUBJECTS)
        self.cases = options.case or list(CASES)
        self.builder = Builder(base())
        self.load = Load(load_core)
        self.turns = []
        figures.note(f"servers on core {self.server_core}, h2load on core {load_core}"
                     + (": the same, so rates and latencies mean little" if load_core == self.server_core else ""))

    def start(self):
        self.builder.build(self.names)
        replies = set()
        for case in self.cases:
            for name in self.names:
                turn = Turn(case, name)
                self.turns.append(turn)
                turn.server = self.builder.start(name, turn.is_tls, self.server_core)
                replies.add(check_reply(turn.server.port, turn.is_tls))
        if len(replies) != 1:
            raise RuntimeError(f"the servers answer differently: replies of {sorted(map(len, replies))} bytes")
        self.load.reply_bytes = len(replies.pop())
        self.figures.note(f"request {self.load.request_bytes} bytes, reply {self.load.reply_bytes} bytes, "
                          "the same from all servers")

    def take_turns(self):
        for turn in self.turns:
            rate = self.load.run(turn, 2000 if turn.concurrency > 1 else 500).rate
            turn.count = max(200, int(rate * self.seconds))
            self.load.run(turn, max(200, turn.count // 4))
        for number in range(self.rounds):
            progress(f"round {number + 1} of {self.rounds}")
            first = number % len(self.turns)
            for turn in self.turns[first:] + self.turns[:first]:
                before = turn.server.cpu_seconds()
                done = self.load.run(turn, turn.count)
                turn.rates.append(done.calls / (turn.server.cpu_seconds() - before))
                timed = self.load.run(turn, max(200, turn.count // 2), is_timed=True)
                turn.p50.append(timed.p50)
                turn.p99.append(timed.p99)
                turn.resident.append(turn.server.resident_mb())

    def count_allocations(self):
        progress("counting allocations")
        for turn in self.turns:
            turn.allocations = allocations(self.builder, self.load, turn, self.server_core, self.rounds)

    def report(self):
        for turn in self.turns:
            for metric, values, unit in [
                    ("requests_per_server_cpu_second", turn.rates, "1/s"), ("p50_us", turn.p50, "us"),
                    ("p99_us", turn.p99, "us"), ("rss_mb", turn.resident, "MB"),
                    ("allocations_per_request", turn.allocations, "1")]:
                self.figures.add(turn.case, metric, values, unit, subject=turn.name,
                                 version=self.builder.version(turn.name))
        for case in self.cases:
            self.note_ratios(case)
        self.note_tls()
        self.figures.note(f"load average at the end {os.getloadavg()[0]:.1f}, of which about 1.5 are the benchmark's")

    def find(self, case, name):
        return next((turn for turn in self.turns if (turn.case, turn.name) == (case, name)), None)

    def note_ratios(self, case):
        for name in self.names:
            ours = self.find(case, name)
            if not name.startswith("marquee"):
                continue
            for other in self.names:
                theirs = self.find(case, other)
                if other.startswith("marquee"):
                    continue
                self.figures.note(f"{case}: {name} serves {ratio(ours.rates, theirs.rates)} x the requests a CPU "
                                  f"second of {other}; p50 {ratio(ours.p50, theirs.p50)} x")

    def note_tls(self):
        for name in self.names:
            clear, tls = self.find("h2c-128", name), self.find("tls-128", name)
            if clear and tls:
                self.figures.note(f"{name}: TLS costs {ratio(clear.rates, tls.rates)} x the CPU time of h2c")

    def stop(self):
        for turn in self.turns:
            if turn.server:
                turn.server.stop()
        self.load.close()


class Turn:
    """One server under one case, and what its turns gave."""

    def __init__(self, case, name):
        self.case, self.name = case, name
        self.is_tls, self.connections, self.streams = CASES[case]
        self.concurrency = self.connections * self.streams
        self.server = None
        self.count = 0
        self.rates, self.p50, self.p99, self.resident, self.allocations = [], [], [], [], []


def ratio(values, others):
    each = sorted(value / other for value, other in zip(values, others))
    return f"{statistics.median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f})"


# --- allocations


def allocations(builder, load, turn, core, runs):
    """A process of its own, under the counting malloc; what it keeps for later calls is made before the count."""
    server = builder.start(turn.name, turn.is_tls, core, counts=True)
    try:
        turn = Counted(turn, server)
        load.run(turn, 4000)
        counts = []
        for _ in range(min(runs, 3)):
            before = server.allocations()
            done = load.run(turn, 4000)
            counts.append((server.allocations() - before) / done.calls)
        return counts
    finally:
        server.stop()


class Counted:
    def __init__(self, turn, server):
        self.is_tls, self.connections, self.streams, self.server = turn.is_tls, turn.connections, turn.streams, server


def check_allocations(options):
    names = [name for name in SUBJECTS if name.startswith("marquee")]
    builder, load = Builder(base()), Load(max(os.sched_getaffinity(0)))
    builder.build(names)
    found = {}
    try:
        for case in CASES:
            for name in names:
                counts = allocations(builder, load, Turn(case, name), min(os.sched_getaffinity(0)), 3)
                found.setdefault(case, {})[name] = round(min(counts), 1)
    finally:
        load.close()
    if options.set_baseline:
        BASELINE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        print(f"{BASELINE.relative_to(ROOT)} is what was counted just now")
        return
    wanted = json.loads(BASELINE.read_text(encoding="utf-8"))
    worse = []
    for case, subjects in found.items():
        for name, count in subjects.items():
            most = wanted[case][name]
            # How many calls one read brings depends on the machine, and some allocations are by read.
            is_worse = count > most + 0.5
            worse += [f"{case} {name}"] if is_worse else []
            print(f"{'MORE' if is_worse else 'ok':<5} {case:<8} {name:<20} {count:6.1f} allocations a request, "
                  f"baseline {most:.1f}")
    if worse:
        raise RuntimeError(f"more allocations a request than the baseline: {', '.join(worse)}. Take them out, or say "
                           "in the commit why they are needed and write the new baseline with --set-baseline")
