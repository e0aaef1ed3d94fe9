"""SIGTERM under load: what a replica took it answers, and it is gone in time."""

import pathlib
import queue
import re
import sys
import threading
import time

import grpc
import pytest
from conftest import ROOT, rounds
from grpc_health.v1 import health_pb2, health_pb2_grpc

sys.path.insert(0, str(ROOT / "Protos"))
RATE = 500


class Caller:
    """Calls Rank at a steady rate on a channel of its own until it is told to stop, and counts how the calls ended."""

    def __init__(self, fleet, name):
        self.protos, services = grpc.protos_and_services("marquee/v1/ranking.proto")
        certs = fleet.certs
        credentials = grpc.ssl_channel_credentials(
            *(pathlib.Path(certs / file).read_bytes() for file in ("authority.pem", "edge-client.key", "edge-client.pem")))
        # One attempt a call, so that each call is counted once on either side.
        self.channel = grpc.secure_channel(fleet.address(name), credentials, [("grpc.enable_retries", 0)])
        self.stub = services.RankingStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)
        self.over = threading.Event()
        self.ended = queue.Queue()
        self.made = 0
        self.statuses = []

    def watch(self):
        """A watcher of the health, as a load balancer is one."""
        def read():
            try:
                for reply in self.health.Watch(health_pb2.HealthCheckRequest()):
                    self.statuses.append(reply.status)
            except grpc.RpcError:
                pass

        self.watching = threading.Thread(target=read)
        self.watching.start()

    def start(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        began = time.monotonic()
        while not self.over.is_set():
            request = self.protos.RankRequest(profile_id=f"syn-p-{self.made % 200:06d}", country="US")
            self.stub.Rank.future(request, timeout=9).add_done_callback(self.ended.put)
            self.made += 1
            time.sleep(max(0, began + self.made / RATE - time.monotonic()))
        self.rate = self.made / (time.monotonic() - began)

    def finish(self):
        """How many calls ended how; every call has an end."""
        self.over.set()
        self.thread.join()
        counts = {}
        for _ in range(self.made):
            code = self.ended.get(timeout=20).code().name
            counts[code] = counts.get(code, 0) + 1
        self.watching.join(10)
        assert not self.watching.is_alive()
        self.channel.close()
        return counts


def counted(fleet, name):
    """What the replica says that it took, and what of it failed."""
    said = re.findall(r"stopped, after (\d+) calls and (\d+) that failed", fleet.log(name))
    return (int(said[-1][0]), int(said[-1][1])) if said else None


@pytest.fixture
def fleet(make_fleet, shelf):
    fleet = make_fleet(regions=("north",), replicas=1)
    shelf.build(shelf.catalogue(), fleet.library, 1)
    fleet.start_control()
    fleet.start_replica("north-1")
    fleet.wait_connected()
    fleet.publish(1)
    fleet.wait_serving(1)
    assert fleet.stop("north-1") == 0
    return fleet


def test_no_accepted_call_is_lost_by_sigterm_under_load(fleet, dice):
    total = {"OK": 0}
    slowest = 0
    rates = []
    for number in range(rounds(5)):
        ready = fleet.log("north-1").count("ready to rank")
        fleet.start_replica("north-1")
        fleet.wait_for("the replica", lambda: fleet.log("north-1").count("ready to rank") > ready, 20)
        caller = Caller(fleet, "north-1")
        grpc.channel_ready_future(caller.channel).result(10)
        caller.watch()
        caller.start()
        fleet.wait_for("the watcher", lambda: caller.statuses, 10)
        time.sleep(dice.uniform(0.2, 0.8))
        began = time.monotonic()
        assert fleet.stop("north-1") == 0
        seconds = time.monotonic() - began
        counts = caller.finish()
        rates.append(caller.rate)
        slowest = max(slowest, seconds)
        for code, count in counts.items():
            total[code] = total.get(code, 0) + count
        # Whatever the replica took was answered; what it didn't take was never its own.
        took, failed = counted(fleet, "north-1")
        said = f"round {number}: {counts}, the replica took {took} and {failed} failed, {seconds:.2f} s"
        # The watcher's call is one that it took, and ended.
        assert took == counts.get("OK", 0) + 1 and failed == 1, said
        assert set(counts) <= {"OK", "UNAVAILABLE"}, said
        assert counts["OK"] > 0 and seconds <= 10, said
        assert caller.statuses[0] == health_pb2.HealthCheckResponse.SERVING, said
        assert caller.statuses[-1] == health_pb2.HealthCheckResponse.NOT_SERVING, said
    print(f"{rounds(5)} SIGTERMs under {min(rates):.0f} to {max(rates):.0f} calls a second: {total['OK']} calls taken, "
          f"none lost; {total.get('UNAVAILABLE', 0)} came later and were not taken; slowest end {slowest:.2f} s")


def test_a_call_that_does_not_end_is_ended_with_a_status(fleet):
    fleet.start_replica("north-1")
    fleet.wait_for("the replica", lambda: "ready to rank" in fleet.log("north-1"), 20)
    caller = Caller(fleet, "north-1")
    _, services = grpc.protos_and_services("marquee/v1/ranking.proto")
    waiting = threading.Event()

    def events():
        waiting.wait(30)
        return
        yield

    call = services.EventsStub(caller.channel).Record.future(events())
    grpc.channel_ready_future(caller.channel).result(10)
    fleet.wait_for("the call to be there", lambda: caller.health.Check(health_pb2.HealthCheckRequest()).status, 10)
    began = time.monotonic()
    assert fleet.stop("north-1") == 0
    seconds = time.monotonic() - began
    error = call.exception(5)
    waiting.set()
    caller.channel.close()
    print(f"ended after {seconds:.2f} s: {error.details()}")
    assert seconds <= 10
    assert error.code() == grpc.StatusCode.UNAVAILABLE and "shutting down" in error.details()
