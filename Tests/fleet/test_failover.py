"""A region fails over, under load, told or not; two operators at once."""

import signal
import time

import pytest
from conftest import Load, refused, rounds, start
from fleet import CommandFailed


def following(fleet, rate="150", timeout="1000"):
    return ["--follow", "--region", "north", "--rate", rate, "--timeout", timeout, "--edge",
            *[address for _, address in fleet.replicas.values()]]


@pytest.fixture
def fleet(make_fleet, shelf):
    fleet = make_fleet(regions=("north", "south"), replicas=2)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    return fleet


def calls(load, region):
    return load.report["regions"].get(region, {}).get("calls", 0)


def test_failover_and_failback_under_load(fleet):
    with Load(fleet, *following(fleet)) as load:
        load.wait_working("north-1", "north-2")
        began = time.time()
        fleet.operate("region", "failover", "north", "--to", "south")
        load.wait_working("south-1", "south-2")
    assert load.report["failed"] == 0, load.report["first_failure"]
    assert calls(load, "north") > 0 and calls(load, "south") > 0
    last = load.report["regions"]["north"]["last_ms"] - began * 1000
    print(f"from the command to the last call served by the old region: {last:.0f} ms")
    assert last < 2000

    with Load(fleet, *following(fleet)) as load:
        load.wait_working("south-1", "south-2")
        fleet.operate("region", "failback", "north")
        load.wait_working("north-1", "north-2")
    assert load.report["failed"] == 0, load.report["first_failure"]
    assert calls(load, "north") > 0 and calls(load, "south") > 0


def test_failovers_one_after_another_under_load(fleet):
    """Also before everybody has heard of the last one."""
    count = rounds(20)
    with Load(fleet, *following(fleet)) as load:
        load.wait_working("north-1", "north-2")
        for _ in range(count):
            fleet.operate("region", "failover", "north", "--to", "south")
            fleet.operate("region", "failback", "north")
        fleet.operate("region", "failover", "north", "--to", "south")
        load.wait_working("south-1", "south-2")
        fleet.operate("region", "failback", "north")
        load.wait_working("north-1", "north-2")
    print(f"{count + 1} failovers and failbacks, {load.report['calls']} calls, {load.report['failed']} failed, "
          f"slowest {load.report['max_ms']:.0f} ms")
    assert load.report["failed"] == 0, load.report["first_failure"]


def test_a_region_that_hangs_is_left_within_the_deadline(fleet):
    with Load(fleet, *following(fleet)) as load:
        load.wait_working("north-1", "north-2")
        for name in ("north-1", "north-2"):
            fleet.signal(name, signal.SIGSTOP)
        load.wait_working("south-1", "south-2")
        for name in ("north-1", "north-2"):
            fleet.signal(name, signal.SIGCONT)
        # And home again, by itself.
        load.wait_working("north-1", "north-2")
    print(f"{load.report['calls']} calls, {load.report['failed']} failed, slowest {load.report['max_ms']:.0f} ms")
    assert load.report["failed"] == 0, load.report["first_failure"]
    assert calls(load, "south") > 0
    assert load.report["max_ms"] <= 1000


def test_a_region_that_dies_is_left(fleet):
    with Load(fleet, *following(fleet)) as load:
        load.wait_working("north-1", "north-2")
        for name in ("north-1", "north-2"):
            fleet.kill(name)
        load.wait_working("south-1", "south-2")
    assert load.report["failed"] == 0, load.report["first_failure"]
    assert calls(load, "south") > 0


def test_a_drained_region_says_where_to_go(fleet):
    """The trailers themselves are in Tests/interop/test_drained.py."""
    fleet.operate("region", "failover", "north", "--to", "south")

    def drained():
        try:
            fleet.run("rank", "--profile", "p", "--country", "US", "--edge", fleet.address("north-1"), "--certs",
                      str(fleet.certs))
        except CommandFailed as error:
            return error
        return None

    error = fleet.wait_for("north-1 to be drained", drained)
    assert error.code == 4 and "failed over" in error.output, error
    table = fleet.json("routing", "--from", fleet.address("north-1"), "--certs", str(fleet.certs))
    assert [r["failed_over_to"] for r in table["regions"] if r["name"] == "north"] == ["south"]
    # A drained replica that restarts is still drained, also with nobody to tell it.
    fleet.stop("control")
    fleet.stop("north-1")
    fleet.start_replica("north-1")
    error = fleet.wait_for("north-1 to be back", lambda: (found := drained()) and "failed over" in found.output and found)
    assert error.code == 4, error


def test_of_two_operators_one_wins_and_the_other_is_told(fleet):
    wins = {"north": 0, "south": 0}
    for _ in range(rounds(10)):
        epoch = fleet.status()["routing"]["epoch"]
        orders = {pair[0]: fleet.spawn("region", "failover", *pair, "--expect-epoch", str(epoch), "--control",
                                       fleet.control, "--certs", str(fleet.certs))
                  for pair in (("north", "--to", "south"), ("south", "--to", "north"))}
        codes = {}
        for name, order in orders.items():
            _, said = order.communicate(timeout=30)
            codes[name] = order.returncode
            if order.returncode:
                assert f"epoch {epoch + 1}" in said, said
        assert sorted(codes.values()) == [0, 5], codes
        winner = min(codes, key=codes.get)
        wins[winner] += 1
        routing = fleet.status()["routing"]
        assert routing["epoch"] == epoch + 1
        assert [r["name"] for r in routing["regions"] if r["failed_over_to"]] == [winner]
        fleet.operate("region", "failback", winner)
    print(f"of two operators who wanted opposite things at once, wins: {wins}")


def test_an_order_that_makes_no_sense_is_refused(fleet):
    for arguments in (("failback", "north"), ("failover", "north", "--to", "north"), ("failover", "north", "--to", "moon")):
        error = refused(fleet.operate, "region", *arguments)
        assert "north" in error.output, error
