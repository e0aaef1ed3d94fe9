"""What a server refuses to start with, and what it writes down of whom it refuses."""

import fcntl
import json
import os
import shutil
import subprocess

import pytest
from conftest import start
from fleet import CommandFailed


def edge_refuses(fleet, *extra):
    region, address = fleet.replicas["north-1"]
    with pytest.raises(CommandFailed) as caught:
        fleet.run("edge", "--listen", address, "--fleet", str(fleet.fleet_file), "--region", region, "--replica",
                  "north-1", "--data", str(fleet.directory / "north-1"), "--control", fleet.control, "--certs",
                  str(fleet.certs), *extra, timeout=20)
    assert caught.value.code == 3, caught.value
    return caught.value.output


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_replica_does_not_start_with_a_key_that_others_can_get_at(make_fleet, mode):
    fleet = make_fleet(regions=("north",), replicas=1)
    os.chmod(fleet.certs / "edge.key", mode)
    assert "edge.key" in edge_refuses(fleet)


def test_a_link_to_such_a_key_is_such_a_key(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    key = fleet.certs / "edge.key"
    shutil.move(key, fleet.directory / "real.key")
    os.symlink(fleet.directory / "real.key", key)
    os.chmod(fleet.directory / "real.key", 0o640)
    assert "edge.key" in edge_refuses(fleet)


def test_a_directory_in_which_anybody_can_replace_the_key(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    os.chmod(fleet.certs, 0o777)
    assert "o-w" in edge_refuses(fleet)


def test_an_audit_log_that_cannot_be_written(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    assert "audit" in edge_refuses(fleet, "--audit-log", "/nowhere/audit.log")


def test_refusals_are_lines_of_json(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    path = fleet.directory / "audit.log"
    fleet.start_control("--audit-log", str(path))
    fleet.wait_for("the control node", fleet.status)

    for _ in range(30):
        with pytest.raises(CommandFailed):
            fleet.run("status", "--control", fleet.control, "--certs", str(fleet.certs), "--identity", "edge-client")
    strange = fleet.directory / "strange"
    fleet.run("certs", "development", "--out", str(strange))
    for name in ("authority.pem", "authority.crl"):
        shutil.copy(fleet.certs / name, strange / name)
    with pytest.raises(CommandFailed):
        fleet.run("status", "--control", fleet.control, "--certs", str(strange))
    assert fleet.stop("control") == 0

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    denied = [line for line in lines if line["event"] == "method_denied"]
    assert denied[0]["method"] == "/marquee.v1.Operations/Status" and denied[0]["role"] == "edge-client"
    assert denied[0]["uri"].startswith("spiffe://marquee.test/edge-client/")
    assert denied[0]["peer"].startswith("127.0.0.1:") and denied[0]["time"].endswith("Z")
    # A flood of one cause is counted.
    assert sum(1 for line in denied if "left_out" not in line) == 10
    assert [line["left_out"] for line in denied if "left_out" in line] == [20]
    refused = [line for line in lines if line["event"] == "handshake_refused"]
    assert refused and refused[0]["uri"].startswith("spiffe://marquee.test/ops/"), lines
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def denials(fleet, count, identity="edge-client"):
    for _ in range(count):
        with pytest.raises(CommandFailed):
            fleet.run("status", "--control", fleet.control, "--certs", str(fleet.certs), "--identity", identity)


def test_a_full_audit_log_makes_place_for_a_new_one(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    path = fleet.directory / "audit.log"
    with open(path, "wb") as full:
        full.truncate((64 << 20) - 10)
    fleet.start_control("--audit-log", str(path))
    fleet.wait_for("the control node", fleet.status)
    denials(fleet, 2)
    fleet.wait_for("the new file", lambda: len(path.read_bytes().splitlines()) == 2, 10)
    assert (fleet.directory / "audit.log.1").stat().st_size == (64 << 20) - 10


def test_an_audit_log_on_a_full_disk_stops_nobody(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    fleet.start_control("--audit-log", "/dev/full")
    fleet.wait_for("the control node", fleet.status)
    denials(fleet, 3)
    assert fleet.status() is not None
    assert fleet.stop("control", timeout=10) == 0


def test_a_pipe_that_nobody_reads_stops_nobody(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [fleet.binary, "control", "--fleet", str(fleet.fleet_file), "--data", str(fleet.directory / "control"),
         "--listen", fleet.control, "--certs", str(fleet.certs)], stdout=subprocess.DEVNULL, stderr=writing,
        stdin=subprocess.DEVNULL)
    os.close(writing)
    fleet.processes["control"] = process
    fleet.wait_for("the control node", fleet.status)
    for identity in ("edge-client", "edge", "control"):
        denials(fleet, 10, identity)
    assert fleet.status() is not None
    assert fleet.stop("control", timeout=10) == 0
    os.close(reading)


def test_without_a_file_refusals_go_to_standard_error(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    with pytest.raises(CommandFailed):
        fleet.run("status", "--control", fleet.control, "--certs", str(fleet.certs), "--identity", "edge")
    fleet.wait_for("the line", lambda: '"event":"method_denied"' in fleet.log("control"), 10)
