"""Certificates and the authority are replaced while a fleet serves."""

import shutil
import signal
import sys
import threading
import time

import grpc
import pytest
from conftest import ROOT, Load, start
from fleet import CommandFailed

sys.path.insert(0, str(ROOT / "Protos"))

AGE = ["--connection-age", "2"]


@pytest.fixture
def fleet(make_fleet, shelf):
    """Two replicas that serve, whose connections make way every two seconds."""
    fleet = make_fleet(regions=("north",), replicas=2)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    fleet.start_control(*AGE)
    for name in fleet.replicas:
        fleet.start_replica(name, *AGE)
    fleet.wait_connected()
    fleet.publish(1)
    fleet.wait_serving(1)
    return fleet


def loaded(fleet, name):
    return fleet.log(name).count('"event":"certificates_loaded"')


def certs(fleet, command, *arguments):
    """Changes the files, and waits until every server has taken them up."""
    before = {name: loaded(fleet, name) for name in fleet.processes}
    fleet.run("certs", command, "--authority", str(fleet.certs), *arguments)
    fleet.wait_for(f"everybody to take up {command}", lambda: all(
        loaded(fleet, name) > count for name, count in before.items()), 20)


def bring_authority(fleet, folder):
    for name in ("authority.crl", "authority.pem"):
        shutil.copy(fleet.certs / name, folder / name)


def every_connection_is_new():
    """Longer than the age with its jitter, and the time that a drained connection takes to say goodbye."""
    time.sleep(4)


def test_certificates_and_authority_are_rolled_under_load(fleet):
    addresses = [address for _, address in fleet.replicas.values()]
    load = Load(fleet, "--follow", "--region", "north", "--rate", "300", "--timeout", "1000", "--edge", *addresses)
    with load:
        time.sleep(1)
        for round in range(2):
            certs(fleet, "renew")
            certs(fleet, "roll")
            every_connection_is_new()
            certs(fleet, "renew")
            every_connection_is_new()
            certs(fleet, "retire")
            every_connection_is_new()
            # The control node is followed through it all.
            fleet.wait_connected()
            print(f"round {round}: {[loaded(fleet, name) for name in fleet.processes]} times taken up")
    report = load.report
    print(f"{report['calls']} calls, {report['failed']} failed, slowest {report['max_ms']:.0f} ms")
    assert report["calls"] > 5000
    assert report["failed"] == 0, report["first_failure"]
    for name in fleet.processes:
        assert '"event":"certificates_refused"' not in fleet.log(name)


def test_grpcio_notices_nothing_of_connections_that_make_way(fleet):
    protos, services = grpc.protos_and_services("marquee/v1/ranking.proto")
    credentials = grpc.ssl_channel_credentials(
        *((fleet.certs / name).read_bytes() for name in ("authority.pem", "edge-client.key", "edge-client.pem")))
    codes = {}
    lock = threading.Lock()

    def count(call):
        with lock:
            codes[call.code().name] = codes.get(call.code().name, 0) + 1

    with grpc.secure_channel(fleet.address("north-1"), credentials, [("grpc.enable_retries", 0)]) as channel:
        stub = services.RankingStub(channel)
        began = time.monotonic()
        for number in range(3000):
            request = protos.RankRequest(profile_id=f"syn-p-{number % 200:06d}", country="US")
            stub.Rank.future(request, timeout=10).add_done_callback(count)
            time.sleep(max(0, began + number / 250 - time.monotonic()))
        fleet.wait_for("every answer", lambda: sum(codes.values()) == 3000, 20)
    print(f"3000 calls over 12 s on connections of 2 s: {codes}")
    assert codes == {"OK": 3000}


def test_sighup_makes_a_server_look_at_once(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    fleet.start_control()
    fleet.wait_for("the control node", fleet.status)
    fleet.signal("control", signal.SIGHUP)
    fleet.wait_for("it to look", lambda: "on SIGHUP" in fleet.log("control"), 10)
    fleet.status()


def test_who_has_a_certificate_of_a_retired_authority_is_out(fleet):
    old = fleet.directory / "old"
    shutil.copytree(fleet.certs, old)
    stay = Load(fleet, "--rate", "20", "--edge", fleet.address("north-1"))
    with stay:
        time.sleep(1)
        certs(fleet, "roll")
        certs(fleet, "renew")
        # This client keeps what it had, and trusts the new servers.
        bring_authority(fleet, old)
        fleet.run("status", "--control", fleet.control, "--certs", str(old))
        certs(fleet, "retire")
        bring_authority(fleet, old)
        with pytest.raises(CommandFailed) as caught:
            fleet.run("status", "--control", fleet.control, "--certs", str(old))
        assert caught.value.code == 4, caught.value
        fleet.run("status", "--control", fleet.control, "--certs", str(fleet.certs))
        fleet.wait_for("the audit to say so", lambda: '"event":"handshake_refused"' in fleet.log("control"), 10)
    assert stay.report["calls"] > 0


def test_a_connection_of_a_retired_authority_is_drained(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    certs(fleet, "roll")
    certs(fleet, "retire")
    # The replica's connection to the control node is older than the authority's end.
    fleet.wait_for("the control node to drain it", lambda: '"event":"trust_withdrawn"' in fleet.log("control"), 20)
    fleet.wait_for("the replica's other certificate to be refused", lambda: '"event":"handshake_refused"' in
                   fleet.log("control"), 20)
    certs(fleet, "renew")
    fleet.wait_connected()


def test_a_broken_file_keeps_the_old_certificate(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    good = (fleet.certs / "control.pem").read_bytes()
    (fleet.certs / "control.pem").write_bytes(good[:200])
    fleet.wait_for("that to be said", lambda: '"event":"certificates_refused"' in fleet.log("control"), 20)
    assert "control.pem" in fleet.log("control")
    fleet.status()
    (fleet.certs / "control.pem").write_bytes(good)
    fleet.status()
