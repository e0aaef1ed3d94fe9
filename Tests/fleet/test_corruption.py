"""Bytes that are not what was signed: refused with the place, nothing served from them, seen by the operator."""

import shutil
import subprocess

import pytest
from conftest import rank, replica_status, rounds, start
from fleet import CommandFailed


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def verify(shelf, library, sequence):
    """The exit code and what was said."""
    done = subprocess.run(
        [shelf.maker.binary, "snapshot", "verify", str(sequence), "--library", str(library), "--key",
         str(shelf.maker.key)], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def copied(library, directory):
    """A copy whose files can be damaged without the original: hard links are broken up."""
    shutil.copytree(library, directory)
    return directory


@pytest.fixture(scope="module")
def two_snapshots(shelf):
    library = shelf.directory / "two"
    shelf.build(shelf.catalogue("a-"), library, 1)
    shelf.build(shelf.catalogue("b-"), library, 2)
    return library


def test_verify_names_the_place_of_any_flipped_byte(shelf, two_snapshots, dice, tmp_path):
    library = copied(two_snapshots, tmp_path / "library")
    files = sorted(path for path in library.rglob("*") if path.suffix in (".segment", ".manifest"))
    assert len(files) > 10
    for _ in range(rounds(60)):
        path = dice.choice(files)
        offset = dice.randrange(path.stat().st_size)
        flip(path, offset)
        outcomes = [verify(shelf, library, sequence) for sequence in (1, 2)]
        assert any(code == 3 for code, _ in outcomes), f"{path.name} offset {offset}: {outcomes}"
        assert all(code in (0, 3) for code, _ in outcomes), f"{path.name} offset {offset}: {outcomes}"
        assert all("refused, " in said for code, said in outcomes if code == 3), outcomes
        flip(path, offset)
    assert verify(shelf, library, 1)[0] == verify(shelf, library, 2)[0] == 0


def test_truncated_and_swapped_segments_are_refused(shelf, two_snapshots, dice, tmp_path):
    library = copied(two_snapshots, tmp_path / "library")
    segments = sorted((library / "segments").iterdir(), key=lambda path: path.stat().st_size)[-4:]
    for path in segments:
        whole = path.read_bytes()
        path.write_bytes(whole[: dice.randrange(len(whole))])
        assert 3 in (verify(shelf, library, 1)[0], verify(shelf, library, 2)[0]), path
        other = segments[(segments.index(path) + 1) % len(segments)]
        path.write_bytes(other.read_bytes())
        assert 3 in (verify(shelf, library, 1)[0], verify(shelf, library, 2)[0]), path
        path.write_bytes(whole)
    assert verify(shelf, library, 1)[0] == verify(shelf, library, 2)[0] == 0


def test_a_replica_with_a_damaged_disk_serves_nothing_of_it_and_is_mended(make_fleet, shelf, dice):
    fleet = make_fleet(regions=("north",), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    fleet.stop("control")
    for _ in range(3):
        fleet.stop("north-1")
        segments = sorted((fleet.directory / "north-1" / "snapshots" / "segments").iterdir())
        victim = dice.choice([path for path in segments if path.stat().st_size > 1000])
        flip(victim, dice.randrange(victim.stat().st_size))
        fleet.start_replica("north-1")
        fleet.wait_for("the replica to listen", lambda: "nothing on the disk" in fleet.log("north-1"))
        with pytest.raises(CommandFailed) as caught:
            rank(fleet, "north-1")
        assert caught.value.code == 4, caught.value
        fleet.start_control()
        fleet.wait_serving(1)
        assert rank(fleet, "north-1")["snapshot"]["sequence"] == 1
        status = replica_status(fleet, "north-1")
        assert 0 < status["bytes_fetched"] <= 256 << 10, "only the damaged chunk is fetched again"
        fleet.stop("control")


def test_what_the_control_node_serves_damaged_is_refused_and_not_tried_again(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    shelf.build(shelf.catalogue("b-"), fleet.library, 2)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    fleet.kill("north-1")
    fleet.publish(2)
    # The index of the second snapshot, the biggest file that the first has not.
    known = {path.name for path in (fleet.directory / "north-1" / "snapshots" / "segments").iterdir()}
    segments = [path for path in (fleet.directory / "control" / "snapshots" / "segments").iterdir()
                if path.name not in known]
    victim = max(segments, key=lambda path: path.stat().st_size)
    flip(victim, victim.stat().st_size // 2)
    fleet.start_replica("north-1")
    fleet.wait_connected()
    assert rank(fleet, "north-1")["snapshot"]["sequence"] == 1

    def troubled():
        region = fleet.status()["regions"][0]
        return region["halted"] or replica_status(fleet, "north-1")["refused"]

    print("status says:", fleet.wait_for("the operator to see it", troubled))
    assert rank(fleet, "north-1")["snapshot"]["sequence"] == 1


def test_each_wrong_publish_has_its_own_code(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 5)
    start(fleet)
    fleet.publish(5)
    fleet.wait_serving(5)

    def refused(library, sequence, key=None):
        with pytest.raises(CommandFailed) as caught:
            fleet.run("publish", "--library", str(library), "--key", str(key or fleet.key), "--sequence", str(sequence),
                      "--control", fleet.control, "--certs", str(fleet.certs))
        return caught.value

    strange = fleet.directory / "strange.key"
    fleet.run("keys", "generate", str(strange))
    other = fleet.directory / "other"
    shelf.build(shelf.catalogue("b-"), other / "untrusted", 6, key=strange)
    shelf.build(shelf.catalogue("b-"), other / "older", 4)
    shelf.build(shelf.catalogue("b-"), other / "conflict", 5)
    said = {
        "untrusted_key": refused(other / "untrusted", 6, strange),
        "older_sequence": refused(other / "older", 4),
        "sequence_conflict": refused(other / "conflict", 5),
    }
    for code, error in said.items():
        assert error.code == 3 and code in error.output, (code, error)
    assert [snapshot["sequence"] for snapshot in fleet.status()["snapshots"]] == [5]
    assert rank(fleet, "north-1")["snapshot"]["sequence"] == 5
