"""Who gets in."""

import os
import socket
import ssl
import subprocess

import pytest
from conftest import refused, start
from fleet import CommandFailed


def failing(fleet, *arguments):
    with pytest.raises(CommandFailed) as caught:
        fleet.run(*arguments)
    return caught.value


def serve(fleet, what, *extra):
    """The arguments of a control node or a replica."""
    fleet_file = ["--fleet", str(fleet.fleet_file)]
    if what == "control":
        return ["control", *fleet_file, "--data", str(fleet.directory / "control"), *extra]
    return ["edge", *fleet_file, "--data", str(fleet.directory / "north-1"), "--region", "north", "--replica", "north-1",
            "--control", fleet.control, *extra]


def test_a_role_without_the_right_is_refused(make_fleet, shelf):
    fleet = make_fleet(regions=("north", "south"), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    start(fleet)
    fleet.publish(1)
    fleet.wait_serving(1)
    before = fleet.status()
    orders = [
        ("status",),
        ("pin",),
        ("publish", "--library", str(fleet.library), "--key", str(fleet.key), "--region", "north"),
        ("region", "failover", "north", "--to", "south", "--expect-epoch", str(before["routing"]["epoch"])),
    ]
    for role in ("edge-client", "edge", "control"):
        for order in orders:
            error = refused(fleet.run, *order, "--control", fleet.control, "--certs", str(fleet.certs), "--identity", role)
            assert role in error.output, error
    refused(fleet.run, "rank", "--profile", "p", "--country", "US", "--edge", fleet.address("north-1"), "--certs",
            str(fleet.certs), "--identity", "edge")
    after = fleet.status()
    assert after["routing"] == before["routing"]
    assert [region["pinned"] for region in after["regions"]] == [0, 0]


def test_without_a_certificate_there_is_no_connection(make_fleet):
    """With TLS 1.3 the client learns it when it reads: it must get an alert and not one byte of HTTP/2."""
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    for address in (fleet.control, fleet.address("north-1")):
        host, port = address.rsplit(":", 1)
        context = ssl.create_default_context(cafile=str(fleet.certs / "authority.pem"))
        context.check_hostname = False
        context.set_alpn_protocols(["h2"])
        with socket.create_connection((host, int(port)), timeout=10) as plain, pytest.raises(OSError) as caught:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
                raise AssertionError(f"{address} answered {tls.recv(100)!r}")
        assert "certificate" in str(caught.value).lower(), caught.value


def test_another_authoritys_certificate_gets_no_connection(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    strange = fleet.directory / "strange"
    fleet.run("certs", "development", "--out", str(strange))
    # It trusts our authority, and its own certificate is of another.
    for name in ("authority.pem", "authority.crl"):
        (strange / name).write_bytes((fleet.certs / name).read_bytes())
    error = failing(fleet, "status", "--control", fleet.control, "--certs", str(strange))
    assert error.code == 4, error


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
@pytest.mark.parametrize("what", ["control", "edge"])
def test_a_key_that_others_can_read_refuses_to_start(make_fleet, what, mode):
    fleet = make_fleet(regions=("north",), replicas=1)
    os.chmod(fleet.certs / f"{what}.key", mode)
    error = refused(fleet.run, *serve(fleet, what, "--listen", fleet.control, "--certs", str(fleet.certs)))
    assert f"{what}.key" in error.output, error


def test_an_operators_key_that_others_can_read_is_not_used(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    fleet.start_control()
    fleet.wait_for("the control node", fleet.status)
    os.chmod(fleet.certs / "ops.key", 0o644)
    error = refused(fleet.run, "status", "--control", fleet.control, "--certs", str(fleet.certs))
    assert "ops.key" in error.output, error


@pytest.mark.parametrize("what", ["control", "edge"])
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_plain_text_beyond_loopback_refuses_to_start(make_fleet, what, host):
    fleet = make_fleet(regions=("north",), replicas=1)
    port = fleet.control.rsplit(":", 1)[1]
    error = refused(fleet.run, *serve(fleet, what, "--listen", f"{host}:{port}", "--plaintext"))
    assert "plain" in error.output.lower(), error


def test_plain_text_beyond_loopback_with_the_flag(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    port = fleet.control.rsplit(":", 1)[1]
    fleet.start("control", *serve(fleet, "control", "--listen", f"0.0.0.0:{port}", "--plaintext"),
                "--allow-plaintext-beyond-loopback")
    fleet.wait_for("plain text with the flag", lambda: fleet.run(
        "status", "--control", fleet.control, "--plaintext"))


def test_wrong_usage_says_so(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    done = subprocess.run([fleet.binary, "rank"], capture_output=True, text=True, check=False)
    assert done.returncode == 64 and "--profile" in done.stderr
