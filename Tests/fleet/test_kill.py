"""kill -9 at random moments: what was confirmed is there, nothing is half, what had arrived is not fetched again.

How often: MARQUEE_ROUNDS. When exactly: a seed that is printed, and MARQUEE_SEED to repeat it.
"""

import signal
import time

import pytest
from conftest import leftovers, rank, replica_status, rounds, start
from disk import Snapshot, received_bytes

# What is received besides chunks, on connections that are made: certificates, settings, the routing.
CONNECTION_BYTES = 16 << 10
CHUNK_BYTES_MAX = 256 << 10
COUNT = rounds(10)


@pytest.fixture
def make_serving(make_fleet, shelf):
    """A fleet that serves snapshot 1 of a library with one more to try and one for each kill. Little is shared."""

    def make(**shape):
        fleet = make_fleet(**shape)
        fleet.library = shelf.series(COUNT + 2)
        start(fleet)
        fleet.publish(1)
        fleet.wait_serving(1)
        return fleet

    return make


@pytest.fixture
def one_replica(make_serving):
    return make_serving(regions=("north",), replicas=1)


def snapshots_of(fleet, name):
    return fleet.directory / name / "snapshots"


def verify_disk(fleet, name):
    """The newest snapshots that a process which is gone left on its disk are whole, byte for byte. All sequences."""
    library = snapshots_of(fleet, name)
    sequences = sorted(int(path.stem) for path in (library / "manifests").glob("*.manifest"))
    for sequence in sequences[-2:]:
        fleet.run("snapshot", "verify", str(sequence), "--library", str(library), "--key", str(fleet.key))
    return sequences


def wait_until(condition, timeout=10):
    """Without a pause between the looks, for moments that pass."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "the moment to kill did not come"


def wait_clean(fleet, name):
    fleet.wait_for(f"{name}'s staging directory to be clean", lambda: not leftovers(fleet, name), 10)


def seconds(body):
    began = time.monotonic()
    body()
    return time.monotonic() - began


def test_a_replica_killed_while_staging_goes_on_where_it_was(one_replica, dice):
    fleet, library = one_replica, snapshots_of(one_replica, "north-1")
    # One staging that nobody disturbs: how long it takes, and what TLS and HTTP/2 add to the chunks.
    undisturbed = Snapshot(fleet.library, 2)
    lacking = sum(undisturbed.lacking(library).values())
    before = received_bytes(fleet, "north-1")
    fleet.publish(2)
    took = seconds(lambda: fleet.wait_serving(2))
    overhead = (received_bytes(fleet, "north-1") - before) / lacking
    assert replica_status(fleet, "north-1")["bytes_fetched"] == lacking > 10e6 and 1 < overhead < 1.05
    # When it was killed: with parts on its disk, with the whole snapshot there, or before anything.
    caught, again_max = {"begun": 0, "whole": 0, "nothing": 0}, 0
    for number in range(COUNT):
        sequence = number + 3
        snapshot = Snapshot(fleet.library, sequence)
        lacking = snapshot.lacking(library)
        before = received_bytes(fleet, "north-1")
        fleet.publish(sequence)
        if number % 3 == 0:
            # Around the cutover: the last file of a staging has just got its name.
            wait_until((library / "manifests" / f"{sequence}.manifest").exists)
            time.sleep(dice.uniform(0, 0.03))
        elif number % 3 == 1:
            # While chunks come.
            wait_until(lambda: any((library / "staging").glob("*.part"))
                       or (library / "manifests" / f"{sequence}.manifest").exists())
            time.sleep(dice.uniform(0, took * 0.3))
        else:
            time.sleep(dice.uniform(0, took * 0.5))
        fleet.signal("north-1", signal.SIGSTOP)
        fleet.wait_stopped("north-1")
        received = (received_bytes(fleet, "north-1") - before) / overhead
        fleet.kill("north-1")

        kept = sum(size for digest, size in lacking.items() if digest in snapshot.intact(library, lacking))
        on_disk = verify_disk(fleet, "north-1")
        caught["whole" if sequence in on_disk else "begun" if list((library / "staging").glob("*.part")) else "nothing"] += 1
        fleet.start_replica("north-1")
        fleet.wait_for("the replica to rank", lambda: rank(fleet, "north-1"))
        assert rank(fleet, "north-1")["snapshot"]["sequence"] in (sequence - 1, sequence)
        fleet.wait_serving(sequence)

        status = replica_status(fleet, "north-1")
        assert status["refused"] == []
        assert status["bytes_fetched"] == sum(lacking.values()) - kept, "what was on the disk was fetched again"
        again = received + status["bytes_fetched"] - sum(lacking.values())
        if kept or received > CHUNK_BYTES_MAX:
            again_max = max(again_max, again)
            assert again <= CHUNK_BYTES_MAX + CONNECTION_BYTES, f"{again:.0f} bytes were fetched twice"
        reply = rank(fleet, "north-1")["snapshot"]
        assert (reply["sequence"], reply["digest"]) == (sequence, snapshot.digest)
        wait_clean(fleet, "north-1")
    print(f"{COUNT} kills, found on the disk: {caught}; a staging of {sum(lacking.values()) / 1e6:.1f} MB takes "
          f"{took:.2f} s; fetched twice at most {again_max / 1024:.0f} KiB")
    # By chance all may miss, in a short run.
    assert COUNT < 20 or caught["begun"] and caught["whole"]


def test_the_control_node_killed_while_publishing_has_all_or_nothing(one_replica, dice):
    fleet, library = one_replica, snapshots_of(one_replica, "control")
    took = seconds(lambda: fleet.publish(2))
    fleet.wait_serving(2)
    confirmed, begun, epoch = 0, 0, fleet.status()["routing"]["epoch"]
    for sequence in range(3, COUNT + 3):
        snapshot = Snapshot(fleet.library, sequence)
        lacking = snapshot.lacking(library)
        publishing = fleet.spawn("publish", "--library", str(fleet.library), "--key", str(fleet.key), "--sequence",
                                 str(sequence), "--control", fleet.control, "--certs", str(fleet.certs))
        time.sleep(dice.uniform(0, took * 1.2))
        fleet.kill("control")
        publishing.communicate(timeout=60)
        kept = sum(size for digest, size in lacking.items() if digest in snapshot.intact(library, lacking))
        on_disk = verify_disk(fleet, "control")
        fleet.start_control()
        fleet.wait_connected()
        known = [each["sequence"] for each in fleet.status()["snapshots"]]
        if publishing.returncode == 0:
            confirmed += 1
            assert sequence in known and sequence in on_disk, "a publish that was confirmed is lost"
        elif kept and sequence not in on_disk:
            begun += 1
        if sequence not in known:
            again = fleet.publish(sequence)
            assert again["bytes_received"] == sum(lacking.values()) - kept, "what was on the disk travelled again"
        fleet.wait_serving(sequence)
        assert fleet.status()["routing"]["epoch"] == epoch
        assert not leftovers(fleet, "control")
    print(f"{COUNT} kills in {took:.2f} s of publishing: {begun} with a part of the snapshot on the disk, {confirmed} "
          "after the confirmation")
    assert COUNT < 20 or begun


def test_the_control_node_killed_while_activating_goes_on(make_serving, dice):
    fleet = make_serving(regions=("north",), replicas=2)
    fleet.publish(2)
    took = seconds(lambda: fleet.wait_serving(2))
    moments = {"nobody": 0, "some": 0, "all": 0}
    for sequence in range(3, COUNT + 3):
        digest = Snapshot(fleet.library, sequence).digest
        fleet.publish(sequence)
        if sequence % 2:
            # Around the announcement: the slower replica has just told that it has the snapshot, or is about to.
            wait_until(lambda: all((snapshots_of(fleet, name) / "manifests" / f"{sequence}.manifest").exists()
                                   for name in fleet.replicas))
            time.sleep(dice.uniform(0, 0.05))
        else:
            time.sleep(dice.uniform(0, took))
        fleet.kill("control")
        verify_disk(fleet, "control")
        serving = [rank(fleet, name)["snapshot"]["sequence"] for name in fleet.replicas]
        assert set(serving) <= {sequence - 1, sequence}
        moments[["nobody", "some", "all"][serving.count(sequence)]] += 1
        fleet.start_control()
        fleet.wait_connected()
        status = fleet.status()
        assert sequence in [each["sequence"] for each in status["snapshots"]], "a publish that was confirmed is lost"
        if sequence in serving:
            assert status["regions"][0]["target"] == sequence, "announced before it was durable"
        fleet.wait_serving(sequence)
        for name in fleet.replicas:
            assert rank(fleet, name)["snapshot"]["digest"] == digest
            wait_clean(fleet, name)
        assert fleet.status()["regions"][0]["halted"] == ""
    print(f"{COUNT} kills; served the new snapshot when the control node was gone: {moments}")


def test_the_control_node_killed_while_failing_over_keeps_what_it_confirmed(make_serving, dice):
    fleet = make_serving(regions=("north", "south"), replicas=1)
    order = {False: ["failover", "north", "--to", "south"], True: ["failback", "north"]}

    def is_over(table):
        return bool([region for region in table["regions"] if region["name"] == "north"][0]["failed_over_to"])

    def refused(name):
        try:
            rank(fleet, name)
            return False
        except Exception as error:  # CommandFailed is known by its code
            return getattr(error, "code", None) == 4

    took = seconds(lambda: fleet.operate("region", *order[False]))
    table = fleet.status()["routing"]
    confirmed = durable = 0
    for _ in range(COUNT):
        epoch, was_over = table["epoch"], is_over(table)
        routing = fleet.spawn("region", *order[was_over], "--control", fleet.control, "--certs", str(fleet.certs))
        time.sleep(dice.uniform(0, took * 1.2))
        fleet.kill("control")
        routing.communicate(timeout=60)
        seen = [fleet.json("routing", "--from", fleet.address(name), "--certs", str(fleet.certs))["epoch"]
                for name in fleet.replicas]
        fleet.start_control()
        fleet.wait_connected()
        table = fleet.status()["routing"]
        assert table["epoch"] in (epoch, epoch + 1) and is_over(table) == (was_over != (table["epoch"] > epoch))
        assert max(seen) <= table["epoch"], "a replica knew an epoch that was not durable"
        durable += table["epoch"] > epoch
        if routing.returncode == 0:
            confirmed += 1
            assert table["epoch"] == epoch + 1, "what was confirmed is lost"

        def agrees():
            tables = [fleet.json("routing", "--from", fleet.address(name), "--certs", str(fleet.certs))
                      for name in fleet.replicas]
            return all(each["epoch"] == table["epoch"] and is_over(each) == is_over(table) for each in tables)

        fleet.wait_for("the replicas to have the routing", agrees)
        assert refused("north-1") == is_over(table)
        assert rank(fleet, "south-1")["rows"]
    print(f"{COUNT} kills in {took:.3f} s of failing over: {durable} after it was durable, {confirmed} after it was confirmed")


def events_arguments(fleet, shelf):
    return ["events", "replay", str(shelf.catalogue()), "--as-of-now", "--edge", fleet.address("north-1"), "--certs",
            str(fleet.certs)]


def record(fleet, profile, title, *extra):
    return fleet.json("events", "record", "--profile", profile, "--title", title, *extra, "--edge",
                      fleet.address("north-1"), "--certs", str(fleet.certs))


def test_acknowledged_events_survive_kill_minus_nine(one_replica, shelf):
    fleet = one_replica
    first = fleet.json(*events_arguments(fleet, shelf))
    fleet.kill("north-1")
    fleet.start_replica("north-1")
    fleet.wait_for("the replica to rank", lambda: rank(fleet, "north-1"))
    again = fleet.json(*events_arguments(fleet, shelf))
    assert first["accepted"] > 1000 and first["duplicates"] == 0
    assert again["duplicates"] == again["accepted"] == first["accepted"], (first, again)
    print(f"{first['accepted']} acknowledged events were all there")


def test_an_event_survives_a_kill_in_the_middle_of_others(one_replica, shelf, dice):
    fleet = one_replica
    title = rank(fleet, "north-1")["rows"][0]["titles"][0]["id"]
    interrupted = 0
    for number in range(COUNT):
        replaying = fleet.spawn(*events_arguments(fleet, shelf))
        time.sleep(dice.uniform(0, 0.05))
        record(fleet, f"survivor-{number}", title, "--kind", "progress", "--progress", "0.4")
        fleet.kill("north-1")
        replaying.communicate(timeout=120)
        interrupted += replaying.returncode != 0
        fleet.start_replica("north-1")
        fleet.wait_for("the replica to rank", lambda: rank(fleet, "north-1"))
    for number in range(COUNT):
        rows = {row["id"]: row for row in rank(fleet, "north-1", f"survivor-{number}")["rows"]}
        assert [each["id"] for each in rows["continue_watching"]["titles"]] == [title], number
    print(f"{COUNT} kills right after the acknowledgement, {interrupted} of them while other events were being written")


def test_an_event_is_in_the_next_rank(one_replica):
    fleet = one_replica
    titles = [title["id"] for title in rank(fleet, "north-1", "somebody")["rows"][0]["titles"][:3]]
    for title in titles:
        record(fleet, "somebody", title, "--kind", "complete")
        reply = rank(fleet, "north-1", "somebody")
        assert title not in [each["id"] for row in reply["rows"] if row["id"] == "top_picks" for each in row["titles"]]
    with pytest.raises(Exception) as caught:
        record(fleet, "", "x", "--kind", "play")
    assert caught.value.code == 3
