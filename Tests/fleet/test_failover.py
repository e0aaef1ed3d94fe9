"""A region fails over, under load, told or not; two operators at once."""

import signal
import time

import pytest
from conftest import Load, start
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
        time.sleep(1.5)
        began = time.time()
        fleet.operate("region", "failover", "north", "--to", "south")
        time.sleep(2)
    assert load.report["failed"] == 0, load.report["first_failure"]
    assert calls(load, "north") > 0 and calls(load, "south") > 0
    last = load.report["regions"]["north"]["last_ms"] - began * 1000
    print(f"from the command to the last call served by the old region: {last:.0f} ms")
    assert last < 2000

    with Load(fleet, *following(fleet)) as load:
        time.sleep(1.5)
        fleet.operate("region", "failback", "north")
        time.sleep(2)
    assert load.report["failed"] == 0, load.report["first_failure"]
    assert calls(load, "north") > 0 and calls(load, "south") > 0


def test_a_region_that_hangs_is_left_within_the_deadline(fleet):
    with Load(fleet, *following(fleet)) as load:
        time.sleep(1.5)
        for name in ("north-1", "north-2"):
            fleet.signal(name, signal.SIGSTOP)
        time.sleep(4)
    for name in ("north-1", "north-2"):
        fleet.signal(name, signal.SIGCONT)
    print(f"{load.report['calls']} calls, {load.report['failed']} failed, slowest {load.report['max_ms']:.0f} ms")
    assert load.report["failed"] == 0, load.report["first_failure"]
    assert calls(load, "south") > 0


def test_a_region_that_dies_is_left(fleet):
    with Load(fleet, *following(fleet)) as load:
        time.sleep(1.5)
        for name in ("north-1", "north-2"):
            fleet.kill(name)
        time.sleep(3)
    assert load.report["failed"] == 0, load.report["first_failure"]
    assert calls(load, "south") > 0


def test_a_drained_region_says_where_to_go(fleet):
    fleet.operate("region", "failover", "north", "--to", "south")
    with pytest.raises(CommandFailed) as caught:
        for _ in range(100):
            fleet.run("rank", "--profile", "p", "--country", "US", "--edge", fleet.address("north-1"), "--certs",
                      str(fleet.certs))
            time.sleep(0.05)
    assert caught.value.code == 4 and "failed over" in caught.value.output, caught.value
    table = fleet.json("routing", "--from", fleet.address("north-1"), "--certs", str(fleet.certs))
    assert [r["failed_over_to"] for r in table["regions"] if r["name"] == "north"] == ["south"]


def test_of_two_operators_one_wins_and_the_other_is_told(fleet):
    epoch = str(fleet.status()["routing"]["epoch"])
    orders = [fleet.spawn("region", "failover", *pair, "--expect-epoch", epoch, "--control", fleet.control, "--certs",
                          str(fleet.certs)) for pair in (("north", "--to", "south"), ("south", "--to", "north"))]
    codes = []
    for order in orders:
        _, said = order.communicate(timeout=30)
        codes.append(order.returncode)
        if order.returncode:
            assert "epoch" in said, said
    assert sorted(codes) == [0, 5], codes
