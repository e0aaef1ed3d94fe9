"""A replica whose disk is full: it says so, serves on, and leaves nothing behind."""

import os
import subprocess

import pytest
from conftest import leftovers, rank, replica_status, start


@pytest.fixture
def mount_small():
    """`mount_small(directory, size)`: a disk of that size there, and `resize(size)`."""
    mounted = []

    def mount(directory, size):
        if os.geteuid() != 0:
            pytest.skip("mounting a small disk takes root")
        directory.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)], check=False).returncode:
            pytest.skip("no tmpfs can be mounted here")
        mounted.append(directory)
        return lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(directory)], check=True)

    yield mount
    for directory in mounted:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def used_bytes(directory):
    space = os.statvfs(directory)
    return (space.f_blocks - space.f_bfree) * space.f_frsize


def test_a_full_disk_refuses_the_staging_and_serves_on(mount_small, make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=1)
    disk = fleet.directory / "north-1"
    resize = mount_small(disk, "6m")
    shelf.build(shelf.catalogue(), fleet.library, 1)
    for sequence in (2, 3):
        shelf.build(shelf.catalogue(titles=20_000), fleet.library, sequence, "--seed", str(sequence))
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    before = used_bytes(disk)
    fleet.publish(2)
    [refused] = fleet.wait_for("the refusal", lambda: replica_status(fleet, "north-1")["refused"])
    assert refused["sequence"] == 2 and refused["code"] == "disk_full", refused
    region = fleet.status()["regions"][0]
    assert "disk_full" in region["halted"] and region["target"] == 1, region
    assert "disk_full" in fleet.run("status", "--control", fleet.control, "--certs", str(fleet.certs))
    assert rank(fleet, "north-1")["snapshot"]["sequence"] == 1
    assert not leftovers(fleet, "north-1")
    # The library's state remembers the refusal: a page or two more, and nothing of the 8 MB.
    assert used_bytes(disk) - before < 65_536
    print(f"full disk: {refused['message']}")

    # A restart serves what it served, and what comes after the disk has grown is taken.
    fleet.kill("north-1")
    fleet.start_replica("north-1")
    fleet.wait_connected()
    assert rank(fleet, "north-1")["snapshot"]["sequence"] == 1
    resize("64m")
    fleet.publish(3)
    fleet.wait_serving(3)
    assert rank(fleet, "north-1")["snapshot"]["sequence"] == 3 and not leftovers(fleet, "north-1")
