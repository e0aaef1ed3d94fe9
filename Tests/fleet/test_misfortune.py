"""Things that happen to a fleet and are nobody's decision: a stopped process, a name given twice, a log that is full."""

import pathlib
import signal
import subprocess
import time

import pytest
from conftest import start
from fleet import free_ports


@pytest.fixture
def fleet(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=2)
    for sequence in (1, 2):
        shelf.build(shelf.catalogue(), fleet.library, sequence, "--seed", str(sequence))
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    return fleet


def test_a_stopped_replica_does_not_hold_up_its_region(fleet):
    fleet.signal("north-2", signal.SIGSTOP)
    fleet.wait_stopped("north-2")
    began = time.monotonic()
    fleet.publish(2)
    fleet.wait_serving(2, ["north-1"], 60)
    print(f"served by the other replica after {time.monotonic() - began:.1f} s")
    fleet.signal("north-2", signal.SIGCONT)
    fleet.wait_serving(2, timeout=60)


def test_a_name_given_twice_is_said_in_the_log_and_leaves_nobody_behind(fleet):
    fleet.replicas["twin"] = ("north", f"127.0.0.1:{free_ports(1)[0]}")
    fleet.start_replica("twin", "--replica", "north-1")
    fleet.wait_for("north-1 to be told", lambda: "do two replicas have this name" in fleet.log("north-1"))
    fleet.kill("twin")
    del fleet.replicas["twin"]
    fleet.publish(2)
    fleet.wait_serving(2)


def test_a_replica_whose_log_is_full_serves_on(fleet):
    fleet.stop("north-1")
    region, address = fleet.replicas["north-1"]
    with pathlib.Path("/dev/full").open("w", encoding="utf-8") as full:
        fleet.processes["north-1"] = subprocess.Popen(
            [fleet.binary, "edge", "--listen", address, "--fleet", str(fleet.fleet_file), "--region", region, "--replica",
             "north-1", "--data", str(fleet.directory / "north-1"), "--control", fleet.control, "--certs",
             str(fleet.certs)], stdout=full, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    fleet.publish(2)
    fleet.wait_serving(2)
    assert fleet.processes["north-1"].poll() is None
