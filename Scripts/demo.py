#!/usr/bin/env python3
"""The demo: a control node and two regions of two replicas, as separate processes with mutual TLS on loopback."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from fleet import Fleet, fresh

BEGIN = time.monotonic()
BOLD, DIM, OFF = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
summary = []


def chapter(text):
    print(f"\n{BOLD}[{time.monotonic() - BEGIN:5.1f} s] {text}{OFF}", flush=True)


def say(text):
    print(f"  {text}", flush=True)


def measured(what, value):
    summary.append((what, value))
    say(f"{what}: {value}")


def rank(fleet, profile, *extra, replica=None):
    to = (["--edge", fleet.address(replica)] if replica
          else ["--follow", "--region", fleet.regions[0], "--edge", fleet.address(f"{fleet.regions[0]}-1")])
    return fleet.json("rank", "--profile", profile, "--country", "US", "--certs", str(fleet.certs), *to, *extra)


def show_rows(reply, titles=4, rows=5):
    for row in reply["rows"][:rows]:
        names = " · ".join(title["name"] for title in row["titles"][:titles])
        say(f"{BOLD}{row['name']:<34.34}{OFF} {names}")
    rungs = ", ".join(reply["rungs"]) or "none"
    say(f"{DIM}snapshot {reply['snapshot']['sequence']} ({reply['snapshot']['digest'][:12]}) "
        f"from {reply['replica']}, rungs taken: {rungs}{OFF}")


def make_catalogues(fleet, options):
    """Two workspaces: what v1 and v2 are built from."""
    first, second = fleet.directory / "catalogue-1", fleet.directory / "catalogue-2"
    if options.movielens:
        fleet.run("catalog", "import", "movielens", options.movielens, "--out", str(first))
        return first, first
    common = ["--titles", str(options.titles), "--profiles", str(max(100, options.titles // 10)), "--seed", "1"]
    fleet.run("catalog", "generate", *common, "--out", str(first))
    fleet.run("catalog", "generate", *common, "--change-percent", "1", "--change-seed", "2", "--out", str(second))
    return first, second


def some_profiles(workspace, count=3):
    """Profiles with much history, from the workspace's interactions."""
    seen = {}
    with open(workspace / "interactions.csv", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            profile = line.split(",", 1)[0]
            seen[profile] = seen.get(profile, 0) + 1
    busy = sorted(seen, key=lambda name: (abs(seen[name] - 60), name))
    return busy[:count]


class Load:
    """`marquee load` through the client library in a process of its own, for as long as the block runs."""

    def __init__(self, fleet, profiles, rate):
        self.fleet, self.profiles, self.rate = fleet, profiles, rate

    def __enter__(self):
        (self.fleet.directory / "stop").unlink(missing_ok=True)
        self.process = self.fleet.spawn(
            "load", "--follow", "--region", self.fleet.regions[0], "--edge", *self.seeds(), "--rate", str(self.rate),
            "--profiles", str(self.profiles), "--country", "US", "--certs", str(self.fleet.certs),
            "--until", str(self.fleet.directory / "stop"))
        time.sleep(1.5)
        return self

    def seeds(self):
        return [address for _, address in self.fleet.replicas.values()]

    def __exit__(self, kind, value, trace):
        time.sleep(1.0)
        (self.fleet.directory / "stop").touch()
        if kind is None:
            self.report = self.fleet.finish(self.process)
        else:
            self.process.kill()
            self.process.wait()


def describe(report):
    return (f"{report['calls']:,} calls, {report['failed']} failed, p50 {report['p50_ms']:.1f} ms, "
            f"p99 {report['p99_ms']:.1f} ms, worst {report['max_ms']:.0f} ms")


def main():
    parser = argparse.ArgumentParser(prog="Scripts/demo", description=__doc__)
    parser.add_argument("--movielens", metavar="DIR", help="real data instead of a generated catalogue")
    parser.add_argument("--titles", type=int, default=20_000, help="titles to generate (20000)")
    parser.add_argument("--rate", type=int, default=150, help="calls a second of the load (150)")
    parser.add_argument("--keep", action="store_true", help="leave the fleet running")
    options = parser.parse_args()

    root = pathlib.Path(os.environ.get("MARQUEE_DEMO") or pathlib.Path(tempfile.gettempdir()) / "marquee-demo")
    fleet = Fleet(fresh(root))
    try:
        play(fleet, options)
    except BaseException:
        for name in fleet.processes:
            tail = fleet.log(name)[-600:]
            print(f"--- {name}\n{tail}", file=sys.stderr)
        raise
    finally:
        if not options.keep:
            fleet.close()


def play(fleet, options):
    north, south = fleet.regions
    chapter("Keys, certificates by role, the fleet's file")
    fleet.set_up()

    chapter("A catalogue: " + ("MovieLens, real ratings" if options.movielens
                               else f"{options.titles:,} generated titles (synthetic, and says so)"))
    first, second = make_catalogues(fleet, options)
    profiles = some_profiles(first)
    everyone = fleet.directory / "profiles.txt"
    everyone.write_text("\n".join(some_profiles(first, 500)) + "\n")

    chapter("Snapshot 1: embed, index, sign")
    library = ["--library", str(fleet.library), "--key", str(fleet.key)]
    began = time.monotonic()
    built = fleet.json("snapshot", "build", str(first), *library)
    measured("snapshot 1 built", f"{time.monotonic() - began:.1f} s, {built['title_count']:,} titles, "
                                 f"{built['bytes_total'] / 1e6:.1f} MB")

    chapter("A control node, two regions of two replicas")
    fleet.start_control()
    for name in fleet.replicas:
        fleet.start_replica(name)
    fleet.wait_connected()
    began = time.monotonic()
    fleet.publish(1)
    fleet.wait_serving(1)
    measured("snapshot 1 published and served by 4 replicas", f"{time.monotonic() - began:.2f} s")

    chapter("What people did before, as events")
    replayed = fleet.json("events", "replay", str(first), "--as-of-now", "--profiles", str(everyone), "--follow", "--region", north,
                          "--edge", fleet.address(f"{north}-1"), "--certs", str(fleet.certs))
    measured("events recorded, on disk before they are acknowledged",
             f"{replayed['accepted']:,} in {replayed['seconds']:.1f} s")

    chapter("Rank for three profiles")
    for profile in profiles:
        say(f"{BOLD}profile {profile}{OFF}")
        show_rows(rank(fleet, profile))

    chapter("A newcomer, and what three events change")
    before = rank(fleet, "newcomer")
    show_rows(before, rows=2)
    liked = rank(fleet, profiles[0])["rows"][0]["titles"][:3]
    for title in liked:
        fleet.json("events", "record", "--profile", "newcomer", "--title", title["id"], "--kind", "complete",
                   "--follow", "--region", north, "--edge", fleet.address(f"{north}-1"), "--certs", str(fleet.certs))
    say("newcomer watched: " + " · ".join(title["name"] for title in liked))
    after = rank(fleet, "newcomer")
    show_rows(after, rows=3)
    if [t["id"] for t in before["rows"][0]["titles"]] == [t["id"] for t in after["rows"][0]["titles"]]:
        raise RuntimeError("the events did not change the rows")

    chapter("Snapshot 2 under load: a trained ranker" + ("" if options.movielens else ", 1 % of the titles changed"))
    ranker = fleet.directory / "ranker.segment"
    trained = fleet.json("train", str(first), "--out", str(ranker))
    measured("ranker trained, validation AUC", f"{trained['auc']:.3f} (similarity alone {trained['auc_similarity']:.3f})")
    built = fleet.json("snapshot", "build", str(second), *library, "--parent", "1", "--ranker", str(ranker))
    with Load(fleet, everyone, options.rate) as load:
        began = time.monotonic()
        published = fleet.publish(2)
        fleet.wait_serving(2)
        took = time.monotonic() - began
    measured("snapshot 2 published under load", f"{took:.2f} s, {published['bytes_received'] / 1e6:.1f} of "
             f"{published['bytes_total'] / 1e6:.1f} MB travelled "
             f"({100 * published['bytes_received'] / published['bytes_total']:.1f} %)")
    measured("cutover", describe(load.report))

    chapter("Back to snapshot 1: an operator's signed rollback, under load")
    with Load(fleet, everyone, options.rate) as load:
        began = time.monotonic()
        fleet.operate("rollback", "--to", "1", "--key", str(fleet.key))
        fleet.wait_serving(1)
        took = time.monotonic() - began
    measured("rollback on 4 replicas", f"{took:.2f} s")
    measured("during the rollback", describe(load.report))

    chapter(f"Region {north} fails over to {south}, under load, and back")
    with Load(fleet, everyone, options.rate) as load:
        commanded = time.time()
        fleet.operate("region", "failover", north, "--to", south)
        time.sleep(2.5)
    last = load.report["regions"].get(north, {}).get("last_ms", 0) / 1000 - commanded
    measured("from the command to the last call served by the old region", f"{1000 * last:.0f} ms")
    measured("during the failover", describe(load.report))
    with Load(fleet, everyone, options.rate) as load:
        fleet.operate("region", "failback", north)
        time.sleep(2.5)
    served = load.report["regions"].get(north, {}).get("calls", 0)
    measured("after the failback", f"{served:,} calls served by {north}, {load.report['failed']} failed")

    chapter("The control node is stopped; a replica restarts from its own disk")
    fleet.stop("control")
    fleet.stop(f"{north}-1")
    fleet.start_replica(f"{north}-1")
    fleet.wait_for("the replica to rank", lambda: rank(fleet, profiles[0]))
    ready = [line for line in fleet.log(f"{north}-1").splitlines() if "ready to rank" in line][-1]
    measured("restart without the control node", ready.split("ready to rank", 1)[1].strip(" :"))

    chapter("Summary")
    width = max(len(what) for what, _ in summary)
    for what, value in summary:
        print(f"  {what:<{width}}  {value}")
    failed = [value for what, value in summary if ", 0 failed" not in value and "failed" in value]
    if failed:
        raise RuntimeError(f"calls failed: {failed}")

    if options.keep:
        fleet.start_control()
        fleet.wait_connected()
        certs = fleet.certs
        edge = fleet.address(f"{north}-1")
        print(f"""
The fleet is running. Its files are in {fleet.directory}.
  marquee   {fleet.binary} rank --profile {profiles[0]} --country US --edge {edge} --certs {certs}
            {fleet.binary} status --control {fleet.control} --certs {certs}
  grpcurl   grpcurl -cacert {certs}/authority.pem -cert {certs}/edge-client.pem -key {certs}/edge-client.key \\
              -d '{json.dumps({"profile_id": profiles[0], "country": "US"})}' {edge} marquee.v1.Ranking/Rank
  grpcio    grpc.secure_channel("{edge}", grpc.ssl_channel_credentials(ca, key, cert)) with the files above,
            and stubs made from Protos/marquee/v1/ranking.proto
Stop it with: kill {" ".join(str(p.pid) for p in fleet.processes.values())}""")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, subprocess.SubprocessError, AssertionError) as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)
