"""A fleet of separate processes for each test, and snapshots that were built once."""

import os
import pathlib
import random
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))

from fleet import CommandFailed, Fleet  # noqa: E402


def rounds(default):
    """How often something random is repeated: MARQUEE_ROUNDS, or a shorter run."""
    return int(os.environ.get("MARQUEE_ROUNDS", default))


@pytest.fixture
def dice(request):
    """Randomness with a printed seed; MARQUEE_SEED repeats a run."""
    seed = int(os.environ.get("MARQUEE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"{request.node.name}: MARQUEE_SEED={seed}")
    return random.Random(seed)


class Shelf:
    """Catalogues and a signing key, made once."""

    def __init__(self, directory):
        self.directory = directory
        self.maker = Fleet(directory / "maker", regions=("north",), replicas=1)
        self.maker.directory.mkdir()
        self.maker.run("keys", "generate", str(self.maker.key))
        self.public_key = self.maker.json("keys", "show", str(self.maker.key))["public_key"]

    def catalogue(self, prefix="syn-", titles=2000, profiles=300):
        path = self.directory / f"catalogue-{prefix}{titles}"
        if not path.exists():
            self.maker.run("catalog", "generate", "--titles", str(titles), "--profiles", str(profiles), "--seed", "7",
                           "--id-prefix", prefix, "--out", str(path))
        return path

    def build(self, catalogue, library, sequence, *extra, key=None):
        return self.maker.json("snapshot", "build", str(catalogue), "--library", str(library), "--key",
                               str(key or self.maker.key), "--sequence", str(sequence), *extra)

    def series(self, count):
        """A library of that many snapshots of about 15 MB, each with a space of its own: little is shared."""
        library = self.directory / "series"
        for sequence in range(1, count + 1):
            if not (library / "manifests" / f"{sequence}.manifest").exists():
                self.build(self.catalogue(titles=30_000), library, sequence, "--seed", str(sequence))
        return library


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def make_fleet(shelf, tmp_path):
    """`make_fleet(regions=…, replicas=…)`: keys, certificates and fleet.yaml are there, nothing runs yet."""
    fleets = []

    def make(**shape):
        fleet = Fleet(tmp_path / f"fleet{len(fleets)}", **shape)
        fleet.set_up(signing_key=shelf.maker.key)
        fleet.profiles = fleet.directory / "profiles.txt"
        fleet.profiles.write_text("".join(f"syn-p-{number:06d}\n" for number in range(200)))
        fleets.append(fleet)
        return fleet

    yield make
    for fleet in fleets:
        fleet.close()
        shutil.rmtree(fleet.directory, ignore_errors=True)


def start(fleet):
    """The control node and every replica, connected."""
    fleet.start_control()
    for name in fleet.replicas:
        fleet.start_replica(name)
    fleet.wait_connected()


def replica_status(fleet, name):
    for region in fleet.status()["regions"]:
        for replica in region["replicas"]:
            if replica["name"] == name:
                return replica["status"]
    return None


def rank(fleet, name, profile="syn-p-000001", *extra):
    return fleet.json("rank", "--profile", profile, "--country", "US", "--edge", fleet.address(name), "--certs",
                      str(fleet.certs), *extra)


def refused(command, *arguments):
    """Calls it; it must be refused with exit code 3. The error."""
    with pytest.raises(CommandFailed) as caught:
        command(*arguments)
    assert caught.value.code == 3, caught.value
    return caught.value


class Load:
    """`marquee load` in a process of its own for as long as the block runs; then `report`."""

    def __init__(self, fleet, *arguments):
        self.fleet, self.arguments = fleet, arguments

    def __enter__(self):
        self.stop = self.fleet.directory / "stop"
        self.stop.unlink(missing_ok=True)
        self.process = self.fleet.spawn("load", *self.arguments, "--profiles", str(self.fleet.profiles), "--certs",
                                        str(self.fleet.certs), "--until", str(self.stop))
        return self

    def wait_working(self, *names, seconds=0.08):
        """Waits until the calls come to these replicas: until they have computed for that long together, far more than
        idle ones do meanwhile."""
        def computed():
            return sum(self.fleet.cpu_seconds(name) for name in names)

        before = computed()
        self.fleet.wait_for(f"calls at {', '.join(names)}", lambda: computed() - before >= seconds, 30)

    def __exit__(self, kind, value, trace):
        self.stop.touch()
        if kind is None:
            self.report = self.fleet.finish(self.process)
        else:
            self.process.kill()
            self.process.wait()


def leftovers(fleet, name):
    """What a finished staging must not leave."""
    base = fleet.directory / name / "snapshots"
    found = [str(path) for path in (base / "staging").glob("*")] if (base / "staging").exists() else []
    return found + [str(path) for path in base.rglob("*.draft")]
