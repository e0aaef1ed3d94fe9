"""kill -9 at random moments: what was confirmed is there, nothing is half, what had arrived is not fetched again."""

import time

import pytest
from conftest import leftovers, rank, replica_status, rounds, start
from fleet import CommandFailed

CHUNK_BYTES_MAX = 256 << 10


@pytest.fixture
def one_replica(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    return fleet


def parts_on_disk(fleet, name):
    """Bytes of unfinished segments that are on the disk, and how many files they are in."""
    parts = list((fleet.directory / name / "snapshots" / "staging").glob("*.part"))
    return sum(part.stat().st_blocks * 512 for part in parts), len(parts)


def test_a_replica_killed_while_staging_goes_on_where_it_was(one_replica, shelf, dice):
    fleet = one_replica
    catalogue = shelf.catalogue(titles=20_000)
    interrupted = 0
    for number in range(rounds(10)):
        sequence = number + 2
        # Another seed, another space: nearly all of the bytes are new each time.
        shelf.build(catalogue, fleet.library, sequence, "--seed", str(sequence))
        fleet.publish(sequence)
        time.sleep(dice.uniform(0, 0.08))
        fleet.kill("north-1")
        kept, count = parts_on_disk(fleet, "north-1")
        fleet.start_replica("north-1")
        fleet.wait_serving(sequence)
        status = replica_status(fleet, "north-1")
        if count:
            interrupted += 1
            # A file's last block is rounded up, once for each chunk that lies alone.
            allowed = CHUNK_BYTES_MAX + 8192 * (status["bytes_total"] // 65536 + count)
            assert status["bytes_fetched"] <= status["bytes_total"] - kept + allowed, (kept, status)
        assert status["refused"] == []
        assert rank(fleet, "north-1")["snapshot"]["sequence"] == sequence
        fleet.wait_for("the staging directory to be clean", lambda: not leftovers(fleet, "north-1"), 10)
    print(f"{rounds(10)} kills, {interrupted} of them in the middle of a staging")


def test_the_control_node_killed_while_publishing_has_all_or_nothing(one_replica, shelf, dice):
    fleet = one_replica
    catalogue = shelf.catalogue(titles=20_000)
    confirmed = 0
    for number in range(rounds(10)):
        sequence = number + 2
        shelf.build(catalogue, fleet.library, sequence, "--seed", str(sequence))
        publishing = fleet.spawn("publish", "--library", str(fleet.library), "--key", str(fleet.key), "--sequence",
                                 str(sequence), "--control", fleet.control, "--certs", str(fleet.certs))
        time.sleep(dice.uniform(0, 0.15))
        fleet.kill("control")
        publishing.communicate(timeout=60)
        fleet.start_control()
        fleet.wait_connected()
        known = [snapshot["sequence"] for snapshot in fleet.status()["snapshots"]]
        if publishing.returncode == 0:
            confirmed += 1
            assert sequence in known, "a publish that was confirmed is lost"
        if sequence not in known:
            fleet.publish(sequence)
        fleet.wait_serving(sequence)
        assert not leftovers(fleet, "control")
    print(f"{rounds(10)} kills, {confirmed} after the confirmation")


def test_the_control_node_killed_while_activating_goes_on(one_replica, shelf, dice):
    fleet = one_replica
    catalogue = shelf.catalogue()
    for number in range(rounds(10)):
        sequence = number + 2
        shelf.build(catalogue, fleet.library, sequence, "--seed", str(sequence))
        fleet.publish(sequence)
        time.sleep(dice.uniform(0, 0.1))
        fleet.kill("control")
        serving = rank(fleet, "north-1")["snapshot"]["sequence"]
        assert serving in (sequence - 1, sequence)
        fleet.start_control()
        fleet.wait_connected()
        fleet.wait_serving(sequence)


def test_the_control_node_killed_while_failing_over_keeps_what_it_confirmed(make_fleet, shelf, dice):
    fleet = make_fleet(regions=("north", "south"), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    epoch, confirmed = fleet.status()["routing"]["epoch"], 0
    for _ in range(rounds(10)):
        table = fleet.status()["routing"]
        is_over = bool([r for r in table["regions"] if r["name"] == "north"][0]["failed_over_to"])
        order = ["failback", "north"] if is_over else ["failover", "north", "--to", "south"]
        routing = fleet.spawn("region", *order, "--control", fleet.control, "--certs", str(fleet.certs))
        time.sleep(dice.uniform(0, 0.06))
        fleet.kill("control")
        routing.communicate(timeout=60)
        fleet.start_control()
        fleet.wait_connected()
        table = fleet.status()["routing"]
        assert table["epoch"] >= epoch, "the epoch went back"
        epoch = table["epoch"]
        now_over = bool([r for r in table["regions"] if r["name"] == "north"][0]["failed_over_to"])
        if routing.returncode == 0:
            confirmed += 1
            assert now_over != is_over, "what was confirmed is lost"

        def agrees():
            got = fleet.json("routing", "--from", fleet.address("south-1"), "--certs", str(fleet.certs))
            return got["epoch"] == epoch

        fleet.wait_for("the replicas to have the routing", agrees)
    print(f"{rounds(10)} kills, {confirmed} after the confirmation")


def test_acknowledged_events_survive_kill_minus_nine(one_replica, shelf):
    fleet = one_replica
    arguments = ["events", "replay", str(shelf.catalogue()), "--as-of-now", "--edge", fleet.address("north-1"), "--certs",
                 str(fleet.certs)]
    first = fleet.json(*arguments)
    title = rank(fleet, "north-1")["rows"][0]["titles"][0]["id"]
    fleet.json("events", "record", "--profile", "survivor", "--title", title, "--kind", "progress", "--progress", "0.4",
               "--edge", fleet.address("north-1"), "--certs", str(fleet.certs))
    fleet.kill("north-1")
    fleet.start_replica("north-1")
    fleet.wait_for("the replica to rank", lambda: rank(fleet, "north-1"))
    rows = {row["id"]: row for row in rank(fleet, "north-1", "survivor")["rows"]}
    assert [t["id"] for t in rows["continue_watching"]["titles"]] == [title]
    again = fleet.json(*arguments)
    assert first["accepted"] > 1000
    assert again["duplicates"] == again["accepted"] == first["accepted"], (first, again)


def test_an_event_is_in_the_next_rank(one_replica):
    fleet = one_replica
    titles = [title["id"] for title in rank(fleet, "north-1", "somebody")["rows"][0]["titles"][:3]]
    for title in titles:
        fleet.json("events", "record", "--profile", "somebody", "--title", title, "--kind", "complete", "--edge",
                   fleet.address("north-1"), "--certs", str(fleet.certs))
        reply = rank(fleet, "north-1", "somebody")
        assert title not in [t["id"] for row in reply["rows"] if row["id"] == "top_picks" for t in row["titles"]]
    with pytest.raises(CommandFailed) as caught:
        fleet.run("events", "record", "--profile", "", "--title", "x", "--kind", "play", "--edge",
                  fleet.address("north-1"), "--certs", str(fleet.certs))
    assert caught.value.code == 3
