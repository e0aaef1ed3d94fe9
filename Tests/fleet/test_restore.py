"""A withdrawn snapshot comes back by an operator's signed order."""

from conftest import Load, refused, rounds, start


def test_back_and_forth_between_two_snapshots_under_load(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=2)
    shelf.build(shelf.catalogue("a-"), fleet.library, 1)
    shelf.build(shelf.catalogue("b-"), fleet.library, 2)
    start(fleet)
    for sequence in (1, 2):
        fleet.publish(sequence)
        fleet.wait_serving(sequence)
    addresses = [address for _, address in fleet.replicas.values()]
    count = rounds(20)
    with Load(fleet, "--rate", "150", "--prefix", "1=a-", "--prefix", "2=b-", "--edge", *addresses) as load:
        load.wait_working(*fleet.replicas)
        for _ in range(count):
            fleet.operate("rollback", "--to", "1", "--key", str(fleet.key))
            fleet.wait_serving(1)
            fleet.operate("restore", "--to", "2", "--key", str(fleet.key))
            fleet.wait_serving(2)
    report = load.report
    print(f"{count} rollbacks and restores, {report['calls']} calls, {report['failed']} failed, {report['mixed']} mixed")
    assert report["failed"] == 0, report["first_failure"]
    assert report["mixed"] == 0 and report["empty"] == 0
    assert set(report["sequences"]) == {"1", "2"}


def test_also_for_a_replica_that_was_away_and_only_with_a_trusted_key(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=1)
    for sequence in (1, 2, 3):
        shelf.build(shelf.catalogue(), fleet.library, sequence)
    start(fleet)
    for sequence in (1, 2):
        fleet.publish(sequence)
        fleet.wait_serving(sequence)
    fleet.operate("rollback", "--to", "1", "--key", str(fleet.key))
    fleet.wait_serving(1)
    strange = fleet.directory / "strange.key"
    fleet.run("keys", "generate", str(strange))
    refused(fleet.operate, "restore", "--to", "2", "--key", str(strange))
    error = refused(fleet.operate, "pin", "--sequence", "2")
    assert "restore" in error.output, error
    fleet.stop("north-1")
    fleet.wait_for("north-1 to be away", lambda: not any(
        replica["is_connected"] for replica in fleet.status()["regions"][0]["replicas"]))
    fleet.operate("restore", "--to", "2", "--key", str(fleet.key))
    fleet.start_replica("north-1")
    fleet.wait_serving(2)
    refused(fleet.operate, "restore", "--to", "2", "--key", str(fleet.key))
    fleet.publish(3)
    fleet.wait_serving(3)
