"""Replicas without the control node."""

import re

from conftest import rank, start


def ready_lines(fleet, name):
    return [line for line in fleet.log(name).splitlines() if "ready to rank" in line]


def test_replicas_rank_and_restart_without_the_control_node(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=2)
    digest = shelf.build(shelf.catalogue(), fleet.library, 1)["digest"]
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    assert fleet.stop("control") == 0
    for name, ends in (("north-1", fleet.stop), ("north-2", fleet.kill)):
        assert rank(fleet, name)["rows"]
        assert ready_lines(fleet, name) == [], "it had nothing on its disk when it began"
        # By SIGTERM the one, by kill -9 the other.
        assert not ends(name)
        fleet.start_replica(name)
        fleet.wait_for(f"{name} to rank", lambda name=name: rank(fleet, name)["rows"])
        assert rank(fleet, name)["snapshot"]["digest"] == digest
        [ready] = ready_lines(fleet, name)
        milliseconds = int(re.search(r"ready to rank: (\d+) ms", ready).group(1))
        assert milliseconds <= 500, ready
        print(ready)
