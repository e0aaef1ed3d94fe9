"""Marquee as Python's grpcio sees it: nothing of ours but the .proto files.

With MARQUEE_EDGE, MARQUEE_CONTROL (host:port) and MARQUEE_CERTS (a directory) the tests go to that fleet; without
them they start one of their own, a control node and one replica with a small generated catalogue.
"""

import importlib
import os
import pathlib
import sys
import uuid

import grpc
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))


@pytest.fixture(scope="session")
def messages(tmp_path_factory):
    """The modules that grpc_tools makes of our protos, by their last name: `messages("ranking_pb2")`."""
    from grpc_tools import protoc

    out = tmp_path_factory.mktemp("stubs")
    protos = ROOT / "Protos"
    files = sorted(str(path.relative_to(protos)) for path in (protos / "marquee").rglob("*.proto"))
    assert protoc.main(["protoc", f"-I{protos}", f"--python_out={out}", f"--grpc_python_out={out}", *files]) == 0
    sys.path.insert(0, str(out))
    return lambda name: importlib.import_module(f"marquee.v1.{name}")


class Site:
    """Where the fleet is, and who may call it as what."""

    def __init__(self, edge, control, certs):
        self.edge, self.control, self.certs = edge, control, pathlib.Path(certs)

    def read(self, *names):
        for name in names:
            if (self.certs / name).exists():
                return (self.certs / name).read_bytes()
        raise FileNotFoundError(f"none of {', '.join(names)} in {self.certs}")

    def credentials(self, role):
        """Mutual TLS as a role; with None no certificate of our own."""
        authorities = self.read("authority.pem", "ca.pem")
        if role is None:
            return grpc.ssl_channel_credentials(authorities)
        return grpc.ssl_channel_credentials(authorities, self.read(f"{role}.key"), self.read(f"{role}.pem"))


@pytest.fixture(scope="session")
def make_site():
    """`make_site(edge, control, certs)`, for tests with a fleet of their own."""
    return Site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    if "MARQUEE_EDGE" in os.environ:
        yield Site(os.environ["MARQUEE_EDGE"], os.environ["MARQUEE_CONTROL"], os.environ["MARQUEE_CERTS"])
        return
    from fleet import Fleet

    fleet = Fleet(tmp_path_factory.mktemp("fleet"), regions=("north",), replicas=1)
    try:
        fleet.set_up()
        catalogue = fleet.directory / "catalogue"
        fleet.run("catalog", "generate", "--titles", "2000", "--profiles", "200", "--seed", "1", "--out", str(catalogue))
        fleet.json("snapshot", "build", str(catalogue), "--library", str(fleet.library), "--key", str(fleet.key))
        fleet.start_control()
        fleet.start_replica("north-1")
        fleet.wait_connected()
        fleet.publish(1)
        fleet.wait_serving(1)
        yield Site(fleet.address("north-1"), fleet.control, fleet.certs)
    finally:
        fleet.close()


@pytest.fixture(scope="session")
def channel(site):
    """`channel("edge-client")` is an open channel to the replica as that role; `to="control"` to the control node."""
    channels = {}

    def open_channel(role, to="edge"):
        key = (role, to)
        if key not in channels:
            channels[key] = grpc.secure_channel(getattr(site, to), site.credentials(role))
        return channels[key]

    yield open_channel
    for each in channels.values():
        each.close()


@pytest.fixture
def ranking(channel, messages):
    return messages("ranking_pb2_grpc").RankingStub(channel("edge-client"))


@pytest.fixture
def events(channel, messages):
    return messages("ranking_pb2_grpc").EventsStub(channel("edge-client"))


@pytest.fixture
def rank_request(messages):
    """A sound request, with changes."""

    def make(**fields):
        values = {"profile_id": f"interop-{uuid.uuid4()}", "country": "US", **fields}
        return messages("ranking_pb2").RankRequest(**values)

    return make


@pytest.fixture(scope="session")
def interop_messages(tmp_path_factory):
    """The modules of the standard interop protos."""
    import testservice

    return testservice.load_messages(tmp_path_factory.mktemp("interop-stubs"))


@pytest.fixture(scope="module", params=["h2c", "mutual TLS"])
def interop_server(request, tmp_path_factory):
    """`interop-server` in plain text, and by mutual TLS. It has to end well when it is told to."""
    import testservice

    certs = None if request.param == "h2c" else testservice.make_certs(tmp_path_factory.mktemp("interop") / "certs")
    server = testservice.InteropServer(certs)
    yield server
    assert server.close() == 0


@pytest.fixture
def fails():
    """`fails(code, call)` calls it, checks the status, and gives the error."""

    def check(code, call):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.code() == code, f"{caught.value.code()}: {caught.value.details()}"
        return caught.value

    return check
