"""Who gets in."""

import os
import subprocess

import pytest
from conftest import start
from fleet import CommandFailed


def failing(fleet, *arguments):
    with pytest.raises(CommandFailed) as caught:
        fleet.run(*arguments)
    return caught.value


def test_a_role_without_the_right_is_refused(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    error = failing(fleet, "status", "--control", fleet.control, "--certs", str(fleet.certs), "--identity", "edge-client")
    assert error.code == 3 and "edge-client" in error.output, error
    error = failing(fleet, "region", "failover", "north", "--to", "south", "--control", fleet.control, "--certs",
                    str(fleet.certs), "--identity", "edge")
    assert error.code == 3, error


def test_another_authoritys_certificate_gets_no_connection(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    strange = fleet.directory / "strange"
    fleet.run("certs", "development", "--out", str(strange))
    # It trusts our authority, and its own certificate is of another.
    (strange / "authority.pem").write_bytes((fleet.certs / "authority.pem").read_bytes())
    error = failing(fleet, "status", "--control", fleet.control, "--certs", str(strange))
    assert error.code == 4, error


def test_a_key_that_others_can_read_refuses_to_start(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    os.chmod(fleet.certs / "control.key", 0o644)
    error = failing(fleet, "control", "--fleet", str(fleet.fleet_file), "--data", str(fleet.directory / "control"),
                    "--listen", fleet.control, "--certs", str(fleet.certs))
    assert error.code == 3 and "control.key" in error.output, error


def test_plain_text_beyond_loopback_needs_the_flag(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    port = fleet.control.rsplit(":", 1)[1]
    arguments = ["control", "--fleet", str(fleet.fleet_file), "--data", str(fleet.directory / "control"), "--listen",
                 f"0.0.0.0:{port}", "--plaintext"]
    error = failing(fleet, *arguments)
    assert error.code == 3 and "plain" in error.output.lower(), error
    fleet.start("control", *arguments, "--allow-plaintext-beyond-loopback")
    fleet.wait_for("plain text with the flag", lambda: fleet.run(
        "status", "--control", fleet.control, "--plaintext"))


def test_wrong_usage_says_so(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    done = subprocess.run([fleet.binary, "rank"], capture_output=True, text=True, check=False)
    assert done.returncode == 64 and "--profile" in done.stderr
