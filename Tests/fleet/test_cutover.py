"""Cutovers back and forth under load: nothing fails, nothing is mixed, nothing grows."""

from conftest import Load, rounds, start


def test_a_hundred_cutovers_under_load(make_fleet, shelf):
    """A hundred by default: fifty publishes of a catalogue whose ids begin with b-, fifty rollbacks to one of a-."""
    count = max(rounds(100) // 2, 1)
    fleet = make_fleet(regions=("north",), replicas=2)
    shelf.build(shelf.catalogue("a-"), fleet.library, 1)
    for sequence in range(2, count + 2):
        shelf.build(shelf.catalogue("b-"), fleet.library, sequence)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    addresses = [address for _, address in fleet.replicas.values()]
    before = {name: fleet.anonymous_mb(name) for name in fleet.replicas}
    with Load(fleet, "--rate", "150", "--prefix", "1=a-", "--prefix", "*=b-", "--edge", *addresses) as load:
        for sequence in range(2, count + 2):
            fleet.publish(sequence)
            fleet.wait_serving(sequence)
            fleet.operate("rollback", "--to", "1", "--key", str(fleet.key))
            fleet.wait_serving(1)
            if sequence == min(6, count + 1):
                warm = {name: fleet.anonymous_mb(name) for name in fleet.replicas}
    after = {name: fleet.anonymous_mb(name) for name in fleet.replicas}
    report = load.report
    print(f"{2 * count} cutovers, {report['calls']} calls, {report['failed']} failed, {report['mixed']} mixed")
    assert report["failed"] == 0, report["first_failure"]
    assert report["mixed"] == 0 and report["empty"] == 0
    assert len(report["sequences"]) == count + 1, "every snapshot answered some calls"
    seconds = [second["p99_ms"] for second in report["timeline"][1:-1]]
    quarter = max(len(seconds) // 4, 1)
    first, last = sorted(seconds[:quarter]), sorted(seconds[-quarter:])
    first, last = first[len(first) // 2], last[len(last) // 2]
    print(f"memory of its own, MB: before {before}, after five {warm}, at the end {after}; "
          f"median of the seconds' p99, ms: first quarter {first:.1f}, last quarter {last:.1f}")
    for name in fleet.replicas:
        assert after[name] < warm[name] * 1.5 + 16, "memory grows with each cutover"
    assert last < first * 3 + 5, "latency grows with each cutover"


def test_regions_one_by_one(make_fleet, shelf):
    """A snapshot for one region leaves the other; a pin holds, and what was withdrawn does not come back by itself."""
    fleet = make_fleet(regions=("north", "south"), replicas=1)
    for sequence in (1, 2, 3):
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
    fleet.operate("pin", "--region", "south")
    fleet.operate("unpin", "--region", "south")
    fleet.operate("unpin", "--region", "north")
    fleet.wait_serving(3, ["north-1"])
    assert [r for r in fleet.status()["regions"] if r["name"] == "south"][0]["target"] == 1
    fleet.wait_serving(1, ["south-1"])
