"""Replicas without the control node, and with a full disk."""

import os
import subprocess

import pytest
from conftest import leftovers, rank, replica_status, start


def test_replicas_rank_and_restart_without_the_control_node(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=2)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    fleet.stop("control")
    for name in fleet.replicas:
        assert rank(fleet, name)["rows"]
        assert fleet.stop(name) == 0
        fleet.start_replica(name)
        fleet.wait_for(f"{name} to rank", lambda name=name: rank(fleet, name)["rows"])
        ready = [line for line in fleet.log(name).splitlines() if "ready to rank" in line]
        print(ready[-1])


def test_a_full_disk_refuses_the_staging_and_serves_on(make_fleet, shelf):
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    fleet = make_fleet(regions=("north",), replicas=1)
    disk = fleet.directory / "north-1"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    try:
        shelf.build(shelf.catalogue(), fleet.library, 1)
        shelf.build(shelf.catalogue(titles=20_000), fleet.library, 2)
        start(fleet)
        fleet.publish(1)
        fleet.wait_serving(1)
        fleet.publish(2)
        refused = fleet.wait_for("the refusal", lambda: replica_status(fleet, "north-1")["refused"])
        assert refused[0]["sequence"] == 2 and refused[0]["code"] == "disk_full", refused
        region = fleet.status()["regions"][0]
        assert "disk_full" in region["halted"] and region["target"] == 1, region
        assert rank(fleet, "north-1")["snapshot"]["sequence"] == 1
        assert not leftovers(fleet, "north-1")
        print(f"full disk: {refused[0]['message']}")
    finally:
        fleet.close()
        subprocess.run(["umount", str(disk)], check=False)
