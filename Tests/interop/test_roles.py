"""Who may call what."""

import grpc
import pytest


def status(messages, channel):
    stub = messages("control_pb2_grpc").OperationsStub(channel)
    return lambda: stub.Status(messages("control_pb2").StatusRequest(), timeout=10)


def follow(messages, channel):
    stub = messages("control_pb2_grpc").FleetStub(channel)
    return lambda: list(stub.Follow(iter([messages("control_pb2").FollowRequest()]), timeout=10))


def test_an_operator_sees_the_status(messages, channel):
    assert status(messages, channel("ops", "control"))() is not None


@pytest.mark.parametrize("role", ["edge-client", "edge", "control"])
def test_nobody_else_does(messages, channel, fails, role):
    error = fails(grpc.StatusCode.PERMISSION_DENIED, status(messages, channel(role, "control")))
    assert error.details()


@pytest.mark.parametrize("role", ["edge-client", "ops", "control"])
def test_only_replicas_follow(messages, channel, fails, role):
    fails(grpc.StatusCode.PERMISSION_DENIED, follow(messages, channel(role, "control")))


@pytest.mark.parametrize("role", ["edge", "control"])
def test_replicas_and_the_control_node_do_not_rank(messages, channel, rank_request, fails, role):
    stub = messages("ranking_pb2_grpc").RankingStub(channel(role))
    fails(grpc.StatusCode.PERMISSION_DENIED, lambda: stub.Rank(rank_request(), timeout=10))


def test_an_operator_may_rank(messages, channel, rank_request):
    assert messages("ranking_pb2_grpc").RankingStub(channel("ops")).Rank(rank_request(), timeout=10).rows


@pytest.mark.parametrize("role", ["edge-client", "ops"])
def test_chunks_are_not_for_clients(messages, channel, fails, role):
    stub = messages("snapshot_pb2_grpc").ChunksStub(channel(role))
    request = messages("snapshot_pb2").FetchRequest(sha256=[bytes(32)])
    fails(grpc.StatusCode.PERMISSION_DENIED, lambda: list(stub.Fetch(request, timeout=10)))


@pytest.mark.parametrize("role", ["edge-client", "edge", "control", "ops"])
@pytest.mark.parametrize("to", ["edge", "control"])
def test_everybody_may_ask_for_the_routing(messages, channel, role, to):
    stub = messages("routing_pb2_grpc").RoutingStub(channel(role, to))
    assert stub.GetRouting(messages("routing_pb2").GetRoutingRequest(), timeout=10).epoch >= 0


@pytest.mark.parametrize("to", ["edge", "control"])
def test_without_a_certificate_there_is_no_connection(messages, site, fails, rank_request, to):
    with grpc.secure_channel(getattr(site, to), site.credentials(None)) as channel:
        stub = messages("ranking_pb2_grpc").RankingStub(channel)
        fails(grpc.StatusCode.UNAVAILABLE, lambda: stub.Rank(rank_request(), timeout=10))


def test_in_plain_text_there_is_no_connection(messages, site, fails, rank_request):
    with grpc.insecure_channel(site.edge) as channel:
        stub = messages("ranking_pb2_grpc").RankingStub(channel)
        fails(grpc.StatusCode.UNAVAILABLE, lambda: stub.Rank(rank_request(), timeout=10))
