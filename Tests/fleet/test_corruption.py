"""Bytes that are not what was signed: refused with the place, nothing served from them, seen by the operator."""

import pathlib
import re
import shutil
import subprocess
import time

import pytest
from conftest import rank, refused, replica_status, rounds, start
from fleet import CommandFailed

CHUNK_BYTES_MAX = 256 << 10


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def truncate(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


def verify(shelf, library, sequence):
    """The exit code and what was said."""
    done = subprocess.run(
        [shelf.maker.binary, "snapshot", "verify", str(sequence), "--library", str(library), "--key",
         str(shelf.maker.key)], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def segments_of(shelf, library, sequence):
    """File name to the segment's name in the snapshot."""
    report = shelf.maker.json("snapshot", "inspect", str(sequence), "--library", str(library), "--key", str(shelf.maker.key))
    return {f"{segment['sha256']}.segment": segment["segment"] for segment in report["segments"]}


@pytest.fixture(scope="module")
def two_snapshots(shelf):
    library = shelf.directory / "two"
    shelf.build(shelf.catalogue("a-"), library, 1)
    shelf.build(shelf.catalogue("b-"), library, 2)
    return library


# --- marquee snapshot verify


def test_verify_names_the_place_of_any_flipped_byte(shelf, two_snapshots, dice, tmp_path):
    library = tmp_path / "library"
    shutil.copytree(two_snapshots, library)
    names = {sequence: segments_of(shelf, library, sequence) for sequence in (1, 2)}
    files = sorted(path for path in library.rglob("*") if path.suffix in (".segment", ".manifest"))
    # By file and not by byte: small segments are met as often as large ones.
    for _ in range(rounds(100)):
        path = dice.choice(files)
        offset = dice.randrange(path.stat().st_size)
        flip(path, offset)
        for sequence in (1, 2):
            code, said = verify(shelf, library, sequence)
            if path.suffix == ".manifest":
                is_met = path.stem == str(sequence)
            else:
                is_met = path.name in names[sequence]
            assert code == (3 if is_met else 0), f"{path.name} offset {offset}, snapshot {sequence}: {code} {said}"
            if is_met and path.suffix == ".segment":
                place = re.search(r"at (\S+) chunk \d+ offset (\d+)", said)
                assert place and place[1] == names[sequence][path.name], said
                assert int(place[2]) <= offset < int(place[2]) + CHUNK_BYTES_MAX, f"offset {offset}: {said}"
            elif is_met:
                assert re.search(r"refused, \w+ at (signature|manifest|\S+\.manifest)", said), said
        flip(path, offset)
    assert verify(shelf, library, 1)[0] == verify(shelf, library, 2)[0] == 0


def test_verify_refuses_truncated_and_swapped_segments(shelf, two_snapshots, dice, tmp_path):
    library = tmp_path / "library"
    shutil.copytree(two_snapshots, library)
    names = {sequence: segments_of(shelf, library, sequence) for sequence in (1, 2)}
    count = 0
    for name, segment in names[1].items():
        path = library / "segments" / name
        twin = [other for other, kind in names[2].items() if kind == segment and other != name]
        whole = path.read_bytes()
        damages = [whole[: dice.randrange(len(whole))], b"", whole + b"\0"]
        damages += [(library / "segments" / other).read_bytes() for other in twin]
        for damage in damages:
            path.write_bytes(damage)
            code, said = verify(shelf, library, 1)
            assert code == 3 and segment in said, f"{segment}, {len(damage)} of {len(whole)} bytes: {code} {said}"
            count += 1
        path.unlink()
        code, said = verify(shelf, library, 1)
        assert code == 3 and segment in said, f"{segment} is gone: {code} {said}"
        path.write_bytes(whole)
    print(f"{count} truncations, swaps and additions refused")
    assert verify(shelf, library, 1)[0] == verify(shelf, library, 2)[0] == 0


# --- a replica's own disk


def damage(kind, snapshots, dice):
    """Damages what a replica that is not running has on its disk. What its log must name, and how much of it may be
    fetched again."""
    segments = sorted((snapshots / "segments").iterdir())
    victim = dice.choice(segments)
    size = victim.stat().st_size
    if kind == "flip":
        flip(victim, dice.randrange(size))
        return "chunk", min(size, CHUNK_BYTES_MAX)
    if kind == "truncate":
        truncate(victim, dice.randrange(size))
        return "", size
    if kind == "swap":
        other = dice.choice([path for path in segments if path.read_bytes() != victim.read_bytes()])
        victim.write_bytes(other.read_bytes())
        return "", size
    if kind == "remove":
        victim.unlink()
        return "", size
    if kind == "manifest":
        manifest = snapshots / "manifests" / "1.manifest"
        flip(manifest, dice.randrange(manifest.stat().st_size))
        return "1.manifest", 0
    assert kind == "state"
    flip(snapshots / "state", dice.randrange((snapshots / "state").stat().st_size))
    return "state", 0


def test_a_replica_with_a_damaged_disk_serves_nothing_of_it_and_is_mended(make_fleet, shelf, dice):
    fleet = make_fleet(regions=("north",), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    digest = rank(fleet, "north-1")["snapshot"]["digest"]
    fleet.stop("control")
    kinds = ["flip", "truncate", "swap", "remove", "manifest", "state"]
    for number in range(max(rounds(12), len(kinds))):
        kind = kinds[number % len(kinds)]
        fleet.stop("north-1")
        said = len(fleet.log("north-1"))
        place, refetched_max = damage(kind, fleet.directory / "north-1" / "snapshots", dice)
        fleet.start_replica("north-1")
        fleet.wait_for("the replica to say that it has nothing",
                       lambda: "nothing on the disk to serve" in fleet.log("north-1")[said:])
        with pytest.raises(CommandFailed) as caught:
            rank(fleet, "north-1")
        assert caught.value.code == 4 and "no snapshot to serve" in caught.value.output, (kind, caught.value)
        log = fleet.log("north-1")[said:]
        assert "damaged" in log and place in log, (kind, log)
        fleet.start_control()
        fleet.wait_serving(1)
        assert rank(fleet, "north-1")["snapshot"]["digest"] == digest
        status = replica_status(fleet, "north-1")
        print(f"{kind}: mended, {status['bytes_fetched']} bytes fetched")
        assert status["bytes_fetched"] <= refetched_max, (kind, status)
        assert not status["refused"], (kind, status)
        fleet.stop("control")


# --- what the control node serves


def damage_new_segment(kind, control, known, dice):
    """Damages a segment of the control node that came with the last snapshot."""
    new = [path for path in sorted((control / "segments").iterdir()) if path.name not in known]
    victim = dice.choice([path for path in new if path.stat().st_size > 100_000])
    if kind == "flip":
        flip(victim, dice.randrange(victim.stat().st_size))
    elif kind == "truncate":
        truncate(victim, dice.randrange(victim.stat().st_size))
    elif kind == "swap":
        other = dice.choice([path for path in new if path != victim])
        victim.write_bytes(other.read_bytes())
    else:
        victim.unlink()


def test_what_the_control_node_serves_damaged_is_refused_and_not_tried_again(make_fleet, shelf, dice):
    fleet = make_fleet(regions=("north",), replicas=1)

    def publish(sequence):
        shelf.build(shelf.catalogue(), fleet.library, sequence, "--seed", str(sequence))
        fleet.publish(sequence)

    start(fleet)
    publish(1)
    fleet.wait_serving(1)
    bad = []
    kinds = ["flip", "truncate", "swap", "remove"]
    for number in range(max(rounds(4), len(kinds))):
        good, sequence = 2 * number + 1, 2 * number + 2
        fleet.stop("north-1")
        control = fleet.directory / "control" / "snapshots"
        known = {path.name for path in (control / "segments").iterdir()}
        publish(sequence)
        damage_new_segment(kinds[number % len(kinds)], control, known, dice)
        said = len(fleet.log("north-1"))
        fleet.start_replica("north-1")

        def seen():
            region = fleet.status()["regions"][0]
            found = [each for replica in region["replicas"] for each in replica["status"]["refused"]
                     if each["sequence"] == sequence]
            return region["halted"] and found and (region["halted"], found[0])

        halted, refusal = fleet.wait_for("the operator to see it", seen)
        print(f"{kinds[number % len(kinds)]}: {halted}")
        assert f"refused {sequence}" in halted and refusal["place"] and refusal["code"] == "corrupt", (halted, refusal)
        text = fleet.run("status", "--control", fleet.control, "--certs", str(fleet.certs))
        assert f"north-1 refused {sequence}: corrupt at {refusal['place']}" in text, text
        assert rank(fleet, "north-1")["snapshot"]["sequence"] == good
        bad.append(sequence)

        # Not tried again: not after a restart of either, and not before something newer was staged.
        fleet.stop("north-1")
        fleet.stop("control")
        start(fleet)
        assert rank(fleet, "north-1")["snapshot"]["sequence"] == good
        publish(sequence + 1)
        fleet.wait_serving(sequence + 1)
        log = fleet.log("north-1")[said:]
        assert len(re.findall(r" refused: ", log)) == 1, log
        status = replica_status(fleet, "north-1")
        assert not set(bad) & set(status["staged"]), status
        assert [each["sequence"] for each in status["refused"]] == bad


# --- wrong publishes


def resigned(path, key, changes, directory):
    """Changes numbers in a manifest (field number to value) and signs it anew with openssl, as nobody honest would."""
    data = path.read_bytes()
    assert data[:8] == b"MARQSIG1"
    sizes = [int.from_bytes(data[at:at + 4], "little") for at in (8, 12, 16)]
    payload, key_id = data[20:20 + sizes[0]], data[20 + sizes[0] + sizes[1]:]

    def varint(value):
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes(out + bytes([value]))

    def read(at):
        value = shift = 0
        while True:
            value |= (payload[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if payload[at - 1] < 0x80:
                return value, at

    at, out = 0, b""
    while at < len(payload):
        tag, after = read(at)
        value, after = read(after)
        if tag & 7 == 0:
            out += varint(tag) + varint(changes.get(tag >> 3, value))
        else:
            out += varint(tag) + varint(value) + payload[after:after + value]
            after += value
        at = after
    seed = bytes.fromhex(key.read_text().split()[1])
    (directory / "key.der").write_bytes(bytes.fromhex("302e020100300506032b657004220420") + seed)
    (directory / "message").write_bytes(b"marquee manifest\n" + out)
    signature = subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", directory / "key.der", "-in",
         directory / "message"], capture_output=True, check=True).stdout
    head = b"MARQSIG1" + b"".join(size.to_bytes(4, "little") for size in (len(out), len(signature), len(key_id)))
    path.write_bytes(head + out + signature + key_id)


def test_each_wrong_publish_has_its_own_code(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 5)
    start(fleet)
    fleet.publish(5)
    fleet.wait_serving(5)
    strange = fleet.directory / "strange.key"
    fleet.run("keys", "generate", str(strange))
    now = int(time.time() * 1000)

    def changed(name, changes):
        library = fleet.directory / name
        shelf.build(shelf.catalogue("b-"), library, 6)
        resigned(library / "manifests" / "6.manifest", pathlib.Path(fleet.key), changes, fleet.directory)
        return library, 6, fleet.key

    def built(name, sequence, key=None):
        library = fleet.directory / name
        shelf.build(shelf.catalogue("b-"), library, sequence, key=key)
        return library, sequence, key or fleet.key

    wrong = {
        "untrusted_key": built("untrusted", 6, strange),
        "older_sequence": built("older", 4),
        "sequence_conflict": built("conflict", 5),
        "newer_reader": changed("newer", {6: 1000}),
        "expired": changed("expired", {4: now - 2 * 86_400_000, 5: now - 86_400_000}),
        "not_yet_valid": changed("future", {4: now + 86_400_000, 5: now + 2 * 86_400_000}),
    }
    for code, (library, sequence, key) in wrong.items():
        error = refused(fleet.run, "publish", "--library", str(library), "--key", str(key), "--sequence", str(sequence),
                        "--control", fleet.control, "--certs", str(fleet.certs))
        print(code, "-", error.output.strip().splitlines()[-1])
        assert code in error.output, (code, error)
    assert [snapshot["sequence"] for snapshot in fleet.status()["snapshots"]] == [5]
    snapshots = fleet.directory / "control" / "snapshots"
    assert [path.name for path in (snapshots / "manifests").iterdir()] == ["5.manifest"]
    assert not list((snapshots / "staging").iterdir()), "of what was refused something was kept"
    assert rank(fleet, "north-1")["snapshot"]["sequence"] == 5
    # The maker of the changed manifests is right: one with nothing changed is taken.
    library, sequence, key = changed("right", {})
    fleet.run("publish", "--library", str(library), "--key", str(key), "--sequence", str(sequence), "--control",
              fleet.control, "--certs", str(fleet.certs))
    fleet.wait_serving(6)
