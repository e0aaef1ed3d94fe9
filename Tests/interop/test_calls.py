"""What every gRPC call may expect: deadlines, cancellation, metadata, limits."""

import threading
import time

import grpc
import pytest


def test_a_deadline_that_can_not_be_met_passes(ranking, rank_request, fails):
    fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: ranking.Rank(rank_request(), timeout=0.000_001))
    assert ranking.Rank(rank_request(), timeout=10).rows


def test_an_upload_that_never_ends_is_ended_by_its_deadline(events, messages, fails):
    done = threading.Event()

    def slow():
        yield messages("ranking_pb2").RecordRequest()
        done.wait(30)

    began = time.monotonic()
    try:
        fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: events.Record(slow(), timeout=0.5))
    finally:
        done.set()
    assert time.monotonic() - began < 10


def test_a_watch_ends_with_its_deadline(channel, messages):
    stub = messages("routing_pb2_grpc").RoutingStub(channel("edge-client"))
    call = stub.WatchRouting(messages("routing_pb2").GetRoutingRequest(), timeout=1)
    assert next(call) is not None
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_cancelled_call_is_cancelled_and_the_channel_lives(channel, messages, ranking, rank_request):
    stub = messages("routing_pb2_grpc").RoutingStub(channel("edge-client"))
    for _ in range(50):
        call = stub.WatchRouting(messages("routing_pb2").GetRoutingRequest(), timeout=30)
        next(call)
        call.cancel()
        assert call.code() == grpc.StatusCode.CANCELLED
    unary = ranking.Rank.future(rank_request(), timeout=30)
    unary.cancel()
    assert ranking.Rank(rank_request(), timeout=10).rows


def test_metadata_of_both_kinds_is_taken(ranking, rank_request):
    metadata = (("x-trace", "abc, def"), ("x-trace", "again"), ("x-blob-bin", bytes(range(256))), ("x-empty", ""),
                ("x-empty-bin", b""))
    response, call = ranking.Rank.with_call(rank_request(), timeout=10, metadata=metadata)
    assert response.rows and call.code() == grpc.StatusCode.OK


def test_too_much_metadata_is_refused_and_the_channel_lives(ranking, rank_request, fails):
    with pytest.raises(grpc.RpcError) as caught:
        ranking.Rank(rank_request(), timeout=10, metadata=(("x-large", "x" * 100_000),))
    assert caught.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL,
                                   grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE)
    assert ranking.Rank(rank_request(), timeout=10, wait_for_ready=True).rows


@pytest.mark.parametrize("path", ["/marquee.v1.Ranking/NoSuch", "/no.such.Service/Rank", "/marquee.v1.Operations/Status"])
def test_a_method_that_is_not_here_is_unimplemented(channel, fails, path):
    call = channel("edge-client").unary_unary(path)
    fails(grpc.StatusCode.UNIMPLEMENTED, lambda: call(b"", timeout=10))


def test_a_message_that_is_too_large_is_refused_and_the_channel_lives(channel, ranking, rank_request, fails):
    call = channel("edge-client").unary_unary("/marquee.v1.Ranking/Rank")
    fails(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: call(bytes(5 << 20), timeout=10))
    assert ranking.Rank(rank_request(), timeout=10).rows


def test_a_message_in_an_encoding_that_is_not_spoken_is_not_taken_for_one(channel, messages, rank_request, site):
    options = [("grpc.default_compression_algorithm", grpc.Compression.Deflate)]
    with grpc.secure_channel(site.edge, site.credentials("edge-client"), options=options) as compressed:
        stub = messages("ranking_pb2_grpc").RankingStub(compressed)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Rank(rank_request(surface="home" * 30), timeout=10)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
