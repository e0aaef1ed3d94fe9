"""Certificates are revoked while a fleet serves."""

import shutil
import subprocess
import time

import pytest
from conftest import Load, start
from fleet import CommandFailed


def event(fleet, name, kind, *parts):
    """How many lines of a node's audit are of that kind and have these parts."""
    return sum(all(part in line for part in (f'"event":"{kind}"', *parts)) for line in fleet.log(name).splitlines())


def revoke(fleet, *arguments):
    """Revokes, and waits until every node has taken the list up."""
    before = {name: event(fleet, name, "certificates_loaded") for name in fleet.processes}
    report = fleet.json("certs", "revoke", *arguments, "--authority", str(fleet.certs))
    fleet.wait_for("everybody to take the list up", lambda: all(
        event(fleet, name, "certificates_loaded", "list of revoked") > 0 and event(fleet, name, "certificates_loaded") > count
        for name, count in before.items()), 20)
    return report


def rank_as(fleet, identity):
    return fleet.json("rank", "--edge", fleet.address("north-1"), "--certs", str(fleet.certs), "--identity", identity,
                      "--profile", "syn-p-000001", "--country", "US")


def test_who_is_revoked_is_out_and_nobody_else_notices(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=2)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    fleet.start_control("--connection-age", "2")
    for name in fleet.replicas:
        fleet.start_replica(name, "--connection-age", "2")
    fleet.wait_connected()
    fleet.publish(1)
    fleet.wait_serving(1)
    fleet.run("certs", "issue", "--authority", str(fleet.certs), "--role", "edge-client", "--name", "tv", "--out",
              str(fleet.certs))
    rank_as(fleet, "tv")
    addresses = [address for _, address in fleet.replicas.values()]
    load = Load(fleet, "--follow", "--region", "north", "--rate", "300", "--timeout", "1000", "--edge", *addresses)
    with load:
        time.sleep(1)
        report = revoke(fleet, "tv")
        assert report["revoked_in_all"] == 1 and len(report["revoked"]) == 1
        with pytest.raises(CommandFailed) as caught:
            rank_as(fleet, "tv")
        assert caught.value.code == 4, caught.value
        fleet.wait_for("the audit to say so", lambda: event(
            fleet, "north-1", "handshake_refused", "edge-client/tv", "revoked"), 10)
        # Another certificate under the same name, while the list stays as long as it was.
        fleet.run("certs", "renew", "--authority", str(fleet.certs), "--identity", "tv")
        rank_as(fleet, "tv")
        assert fleet.json("certs", "revoke", "--authority", str(fleet.certs))["revoked_in_all"] == 1
    print(f"{load.report['calls']} calls, {load.report['failed']} failed")
    assert load.report["failed"] == 0, load.report["first_failure"]


def test_a_client_takes_no_server_that_its_list_has(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    # The servers' own list says nothing of it.
    mine = fleet.directory / "mine"
    shutil.copytree(fleet.certs, mine)
    fleet.json("certs", "revoke", "edge", "--authority", str(mine))
    rank = ("rank", "--edge", fleet.address("north-1"), "--profile", "syn-p-000001", "--country", "US", "--certs", str(mine))
    for command in (rank, ("routing", "--from", fleet.address("north-1"), "--certs", str(mine))):
        with pytest.raises(CommandFailed) as caught:
            fleet.run(*command)
        assert caught.value.code == 4 and "revoked" in caught.value.output, caught.value
    fleet.run("status", "--control", fleet.control, "--certs", str(mine))


def test_a_replica_that_is_revoked_is_cut_off(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    revoke(fleet, str(fleet.certs / "edge.pem"))
    # The replica's connection to the control node is older than the list.
    fleet.wait_for("the control node to cut it", lambda: event(fleet, "control", "certificate_revoked", "edge/edge"), 20)
    fleet.wait_for("it to be refused", lambda: event(fleet, "control", "handshake_refused", "revoked"), 20)
    fleet.run("certs", "renew", "--authority", str(fleet.certs), "--identity", "edge")
    fleet.wait_connected()


def test_a_node_does_not_start_without_the_list_that_its_certificate_names(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    lists = fleet.certs / "authority.crl"
    whole = lists.read_bytes()
    command = ("control", "--fleet", str(fleet.fleet_file), "--data", str(fleet.directory / "control"), "--listen",
               fleet.control, "--certs", str(fleet.certs))
    for content in (None, b"", whole[:200]):
        lists.unlink(missing_ok=True)
        if content is not None:
            lists.write_bytes(content)
        with pytest.raises(CommandFailed) as caught:
            fleet.run(*command, timeout=20)
        assert caught.value.code == 3 and "authority.crl" in caught.value.output, caught.value
    lists.unlink()
    fleet.start_control("--ignore-revocation")
    fleet.wait_for("the control node", lambda: fleet.run(
        "status", "--control", fleet.control, "--certs", str(fleet.certs), "--ignore-revocation"))


def test_a_list_that_is_damaged_later_changes_nothing(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)
    start(fleet)
    lists = fleet.certs / "authority.crl"
    whole = lists.read_bytes()
    # Clients start anew each time, so this one has a directory of its own.
    shutil.copytree(fleet.certs, fleet.directory / "mine")
    lists.write_bytes(whole[:300])
    fleet.wait_for("that to be said", lambda: event(fleet, "control", "certificates_refused", "authority.crl"), 20)
    fleet.run("status", "--control", fleet.control, "--certs", str(fleet.directory / "mine"))
    lists.write_bytes(whole)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")
def test_the_list_is_what_openssl_makes_of_it(make_fleet):
    fleet = make_fleet(regions=("north",), replicas=1)

    def openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    authority, lists = str(fleet.certs / "authority.pem"), str(fleet.certs / "authority.crl")
    verify = ("verify", "-crl_check", "-CAfile", authority, "-CRLfile", lists)
    for name in ("edge", "ops"):
        assert openssl(*verify, str(fleet.certs / f"{name}.pem"))[0] == 0
    serial = openssl("x509", "-in", str(fleet.certs / "ops.pem"), "-noout", "-serial")[1].strip().partition("=")[2]
    fleet.json("certs", "revoke", serial, "--authority", str(fleet.certs))
    code, text = openssl(*verify, str(fleet.certs / "ops.pem"))
    assert code != 0 and "revoked" in text
    assert openssl(*verify, str(fleet.certs / "edge.pem"))[0] == 0
    (published,) = (fleet.certs / "lists").iterdir()
    assert published.name in openssl("x509", "-in", str(fleet.certs / "edge.pem"), "-noout", "-text")[1]
    code, text = openssl("crl", "-inform", "DER", "-in", str(published), "-CAfile", authority, "-noout", "-text")
    assert code == 0 and serial in text and "verify OK" in text, text
