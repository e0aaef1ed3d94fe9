"""Cutovers back and forth under load: nothing fails, nothing is mixed, nothing grows."""

import os
import pathlib
import statistics

from conftest import Load, refused, rounds, start


def resources(fleet, name):
    """Memory of its own in MB, mappings of snapshot files, and open files of a replica."""
    process = pathlib.Path("/proc") / str(fleet.processes[name].pid)
    mapped = sum("/snapshots/" in line for line in (process / "maps").read_text().splitlines())
    return {"mb": fleet.anonymous_mb(name), "mappings": mapped, "files": len(os.listdir(process / "fd"))}


def test_a_hundred_cutovers_under_load(make_fleet, shelf):
    """Ids of snapshot 1 begin with a-, those of all others with b-. Back is a signed rollback, forward a publish; every
    tenth snapshot has a space of its own, so that nearly all of it is new to the replicas."""
    cutovers = rounds(100)
    fleet = make_fleet(regions=("north",), replicas=2)
    shelf.build(shelf.catalogue("a-"), fleet.library, 1)
    newest = 2
    shelf.build(shelf.catalogue("b-"), fleet.library, newest)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    addresses = [address for _, address in fleet.replicas.values()]

    # The check itself: with the wrong prefixes every reply counts as mixed.
    with Load(fleet, "--rate", "150", "--prefix", "1=b-", "--edge", *addresses) as load:
        load.wait_working(*fleet.replicas)
    assert load.report["mixed"] == load.report["calls"] > 0

    fleet.publish(newest)
    fleet.wait_serving(newest)
    warm = {}
    with Load(fleet, "--rate", "150", "--prefix", "1=a-", "--prefix", "*=b-", "--edge", *addresses) as load:
        load.wait_working(*fleet.replicas)
        for number in range(1, cutovers + 1):
            if number % 2:
                fleet.operate("rollback", "--to", "1", "--key", str(fleet.key))
                fleet.wait_serving(1)
            else:
                newest += 1
                seed = newest if newest % 10 == 0 else 1
                shelf.build(shelf.catalogue("b-"), fleet.library, newest, "--seed", str(seed))
                fleet.publish(newest)
                fleet.wait_serving(newest)
            if number == min(20, cutovers):
                warm = {name: resources(fleet, name) for name in fleet.replicas}
        after = {name: resources(fleet, name) for name in fleet.replicas}
    report = load.report
    print(f"{cutovers} cutovers, {report['calls']} calls, {report['failed']} failed, {report['mixed']} mixed, "
          f"answered from {sorted(map(int, report['sequences']))}")
    assert report["failed"] == 0, report["first_failure"]
    assert report["mixed"] == 0 and report["empty"] == 0
    assert set(report["sequences"]) == {str(sequence) for sequence in range(1, newest + 1)}

    seconds = [second["p99_ms"] for second in report["timeline"][1:-1]]
    quarter = max(len(seconds) // 4, 1)
    first, last = statistics.median(seconds[:quarter]), statistics.median(seconds[-quarter:])
    print(f"after 20 cutovers {warm}\nat the end        {after}\n"
          f"median of the seconds' p99, ms: first quarter {first:.1f}, last quarter {last:.1f}")
    for name in fleet.replicas:
        assert after[name]["mb"] < warm[name]["mb"] + 8, "memory grows with each cutover"
        assert after[name]["mappings"] <= warm[name]["mappings"] + 20, "generations stay mapped"
        assert after[name]["files"] <= warm[name]["files"] + 8, "files stay open"
    assert last < first * 3 + 5, "latency grows with each cutover"


def test_regions_one_by_one(make_fleet, shelf):
    """A snapshot for one region leaves the other; a pin holds; what was withdrawn comes back by an order, and only so."""
    fleet = make_fleet(regions=("north", "south"), replicas=1)
    for sequence in (1, 2, 3, 4):
        shelf.build(shelf.catalogue(), fleet.library, sequence)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    fleet.publish(2, "--region", "south")
    fleet.wait_serving(2, ["south-1"])
    fleet.wait_serving(1, ["north-1"])
    fleet.operate("pin", "--region", "north")
    fleet.operate("rollback", "--to", "1", "--region", "south", "--key", str(fleet.key))
    fleet.wait_serving(1)
    fleet.publish(3)
    fleet.wait_serving(3, ["south-1"])
    fleet.wait_serving(1, ["north-1"])
    fleet.operate("rollback", "--to", "1", "--region", "south", "--key", str(fleet.key))
    fleet.wait_serving(1)

    def target(region):
        return [r for r in fleet.status()["regions"] if r["name"] == region][0]["target"]

    # Neither a pin and its end nor a publish nor a pin to it brings 3 back in the south; in the north it is new.
    fleet.operate("pin", "--region", "south")
    fleet.operate("unpin", "--region", "south")
    fleet.operate("unpin", "--region", "north")
    fleet.wait_serving(3, ["north-1"])
    refused(fleet.operate, "pin", "--region", "south", "--sequence", "3")
    refused(fleet.publish, 3, "--region", "south")
    assert target("south") == 1
    fleet.wait_serving(1, ["south-1"])
    # Pinned forward to a new one, which is staged and not served before the pin names it.
    fleet.operate("pin")
    fleet.publish(4)
    assert (target("north"), target("south")) == (3, 1)
    fleet.operate("pin", "--sequence", "4")
    fleet.wait_serving(4)
