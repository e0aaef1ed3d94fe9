"""What lies on a replica's or a control node's disk, read without any of Marquee's code."""

import hashlib
import pathlib


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data):
    """Number and value of each protobuf field; a manifest has varints and byte strings only."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        else:
            assert key & 7 == 2, "not a manifest"
            size, at = _varint(data, at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value


class Snapshot:
    """A manifest in a library's directory: which chunks lie where in which segment."""

    def __init__(self, library, sequence):
        signed = (pathlib.Path(library) / "manifests" / f"{sequence}.manifest").read_bytes()
        assert signed[:8] == b"MARQSIG1"
        payload = signed[20:20 + int.from_bytes(signed[8:12], "little")]
        self.digest = hashlib.sha256(payload).hexdigest()
        self.segments = {}
        for number, value in _fields(payload):
            if number == 14:
                entry = list(_fields(value))
                sha256 = [field for number, field in entry if number == 4][0]
                chunks = [dict(_fields(field)) for number, field in entry if number == 5]
                self.segments[sha256.hex()] = [(chunk[1], chunk[2]) for chunk in chunks]

    def sizes(self):
        return {digest: size for chunks in self.segments.values() for size, digest in chunks}

    def lacking(self, library):
        """Size by digest of the chunks that none of the snapshots in this directory has."""
        wanted = self.sizes()
        for path in (pathlib.Path(library) / "manifests").glob("*.manifest"):
            for digest in Snapshot(library, int(path.stem)).sizes():
                wanted.pop(digest, None)
        return wanted

    def intact(self, library, digests):
        """Those of these chunks that are on the disk, in a segment that is being made or is complete."""
        found = set()
        for segment, chunks in self.segments.items():
            for path in (f"staging/{segment}.part", f"segments/{segment}.segment"):
                path = pathlib.Path(library) / path
                if not path.exists():
                    continue
                data, offset = path.read_bytes(), 0
                for size, digest in chunks:
                    if digest in digests and hashlib.sha256(data[offset:offset + size]).digest() == digest:
                        found.add(digest)
                    offset += size
        return found


def received_bytes(fleet, name):
    """What the process has read from its sockets (and little else: snapshots are mapped, not read)."""
    with open(f"/proc/{fleet.processes[name].pid}/io") as lines:
        return int(next(line for line in lines if line.startswith("rchar")).split()[1])
