"""A plain gRPC client that keeps asking a region that is failed over."""

import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc


@pytest.fixture(scope="module")
def drained(make_site, tmp_path_factory):
    """A fleet whose region north is failed over to south, when its replica knows."""
    from fleet import Fleet

    fleet = Fleet(tmp_path_factory.mktemp("drained"), regions=("north", "south"), replicas=1)
    try:
        fleet.set_up()
        fleet.start_control()
        for name in fleet.replicas:
            fleet.start_replica(name)
        fleet.wait_connected()
        table = fleet.operate("region", "failover", "north", "--to", "south")
        site = make_site(fleet.address("north-1"), fleet.control, fleet.certs)
        fleet.wait_for("north-1 to know", lambda: fleet.json(
            "routing", "--from", site.edge, "--certs", str(fleet.certs))["epoch"] == table["epoch"])
        with grpc.secure_channel(site.edge, site.credentials("edge-client")) as channel:
            yield channel, table["epoch"], fleet.address("south-1")
    finally:
        fleet.close()


def test_rank_names_the_epoch_and_where_to_go(drained, messages, rank_request, fails):
    channel, epoch, south = drained
    stub = messages("ranking_pb2_grpc").RankingStub(channel)
    error = fails(grpc.StatusCode.UNAVAILABLE, lambda: stub.Rank(rank_request(), timeout=10))
    trailers = dict(error.trailing_metadata())
    assert trailers["marquee-routing-epoch"] == str(epoch), trailers
    assert trailers["marquee-route-to"] == "south", trailers
    assert trailers["marquee-route-replicas"] == south, trailers
    assert "north" in error.details()


def test_the_drained_replica_still_tells_the_routing(drained, messages):
    channel, epoch, south = drained
    stub = messages("routing_pb2_grpc").RoutingStub(channel)
    table = stub.GetRouting(messages("routing_pb2").GetRoutingRequest(), timeout=10)
    assert table.epoch == epoch
    assert {region.name: region.failed_over_to for region in table.regions} == {"north": "south", "south": ""}


def test_its_health_is_not_serving(drained):
    channel, _, _ = drained
    health = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="marquee.v1.Ranking")
    end = time.monotonic() + 10
    while (status := health.Check(request, timeout=10).status) != health_pb2.HealthCheckResponse.NOT_SERVING:
        assert time.monotonic() < end, status
        time.sleep(0.05)


def test_events_are_sent_the_same_way(drained, messages, fails):
    channel, epoch, _ = drained
    stub, ranking = messages("ranking_pb2_grpc").EventsStub(channel), messages("ranking_pb2")
    event = ranking.Event(id="drained-1", profile_id="p", title_id="t", kind=ranking.EVENT_KIND_PLAY,
                          at_ms=int(time.time() * 1000))
    error = fails(grpc.StatusCode.UNAVAILABLE,
                  lambda: stub.Record(iter([ranking.RecordRequest(events=[event])]), timeout=10))
    trailers = dict(error.trailing_metadata())
    assert (trailers["marquee-routing-epoch"], trailers["marquee-route-to"]) == (str(epoch), "south"), trailers
