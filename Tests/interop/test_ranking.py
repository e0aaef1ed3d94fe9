"""Rows for a profile."""

import uuid

import grpc
import pytest


def test_rows_are_not_empty_and_name_their_snapshot(ranking, rank_request):
    request = rank_request(request_id=uuid.uuid4().hex)
    response = ranking.Rank(request, timeout=10)
    assert response.request_id == request.request_id
    assert response.rows
    for row in response.rows:
        assert row.id and row.name
        assert row.titles
        assert all(title.id and title.name and title.source for title in row.titles)
    assert response.snapshot.sequence >= 1
    assert len(bytes.fromhex(response.snapshot.digest)) == 32
    assert all((response.snapshot.space, response.snapshot.model, response.snapshot.features, response.snapshot.policy))
    assert response.region and response.replica
    assert not response.stages


def test_a_request_without_an_id_is_given_one(ranking, rank_request):
    first, second = (ranking.Rank(rank_request(), timeout=10).request_id for _ in range(2))
    assert first and second


def test_debug_adds_the_stages_times(ranking, rank_request, messages):
    response = ranking.Rank(rank_request(debug=True), timeout=10)
    stages = [stage.stage for stage in response.stages]
    assert stages == sorted(stages)
    assert messages("ranking_pb2").STAGE_RETRIEVAL in stages


def test_rows_are_no_longer_than_asked(ranking, rank_request):
    response = ranking.Rank(rank_request(titles_per_row=3), timeout=10)
    assert all(1 <= len(row.titles) <= 3 for row in response.rows)


@pytest.mark.parametrize("change, named", [
    ({"profile_id": ""}, "profile_id"),
    ({"profile_id": "x" * 129}, "profile_id"),
    ({"request_id": "x" * 129}, "request_id"),
    ({"country": ""}, "country"),
    ({"country": "USA"}, "country"),
    ({"maturity_max": 19}, "maturity_max"),
    ({"titles_per_row": 101}, "titles_per_row"),
    ({"profile_id": "a\0b"}, "profile_id"),
])
def test_a_bad_field_is_named(ranking, rank_request, fails, change, named):
    error = fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: ranking.Rank(rank_request(**change), timeout=10))
    assert named in error.details()


@pytest.mark.parametrize("request_bytes", [
    b"\x12\x02\xff\xfe\x22\x02US",  # profile_id is not UTF-8
    b"\x12\x03\xed\xa0\x80\x22\x02US",  # a surrogate
    b"\x12\x7fp",  # cut off
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",  # a tag that never ends
])
def test_bytes_that_are_no_request_are_refused(channel, fails, request_bytes):
    call = channel("edge-client").unary_unary("/marquee.v1.Ranking/Rank")
    error = fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: call(request_bytes, timeout=10))
    assert "RankRequest" in error.details()


def test_fields_of_a_newer_client_are_passed_over(channel, rank_request):
    call = channel("edge-client").unary_unary("/marquee.v1.Ranking/Rank")
    assert call(rank_request().SerializeToString() + b"\xc2\x0c\x03abc\xc8\x0c\x05", timeout=10)


def test_more_calls_than_streams_are_all_answered(ranking, rank_request):
    calls = [ranking.Rank.future(rank_request(), timeout=60) for _ in range(400)]
    assert all(call.result().rows for call in calls)
