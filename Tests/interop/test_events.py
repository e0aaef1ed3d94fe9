"""Events in, and rows that have seen them."""

import time
import uuid

import grpc
import pytest


@pytest.fixture
def event(messages):
    def make(**fields):
        pb = messages("ranking_pb2")
        values = {"id": uuid.uuid4().hex, "profile_id": "interop", "title_id": "t", "kind": pb.EVENT_KIND_PLAY,
                  "at_ms": int(time.time() * 1000), **fields}
        return pb.Event(**values)

    return make


@pytest.fixture
def record(events, messages):
    """Sends lists of events, a message each."""

    def send(*batches):
        request = messages("ranking_pb2").RecordRequest
        return events.Record(iter([request(events=batch) for batch in batches]), timeout=10)

    return send


def ids(response):
    return [(row.id, [title.id for title in row.titles]) for row in response.rows]


def test_the_next_rank_has_seen_what_was_recorded(ranking, rank_request, record, event, messages):
    pb = messages("ranking_pb2")
    request = rank_request()
    before = ranking.Rank(request, timeout=10)
    assert pb.RUNG_NO_HISTORY in before.rungs
    titles = [title.id for row in before.rows for title in row.titles][:3]
    response = record([
        event(profile_id=request.profile_id, title_id=title, kind=pb.EVENT_KIND_PROGRESS, progress=0.4)
        for title in titles])
    assert (response.accepted, response.duplicates) == (len(titles), 0)
    assert response.position > 0
    after = ranking.Rank(request, timeout=10)
    assert pb.RUNG_NO_HISTORY not in after.rungs
    assert ids(after) != ids(before)
    watching = [row for row in after.rows if row.id == "continue_watching"]
    assert watching and {title.id for title in watching[0].titles} <= set(titles)


def test_an_event_counts_once_however_often_it_is_sent(record, event):
    events = [event() for _ in range(5)]
    assert record(events).duplicates == 0
    again = record(events[:2], events[2:])
    assert (again.accepted, again.duplicates) == (5, 5)


def test_many_messages_are_one_receipt(record, event):
    response = record(*[[event() for _ in range(100)] for _ in range(20)])
    assert (response.accepted, response.duplicates) == (2000, 0)


@pytest.mark.parametrize("change, named", [
    ({"id": ""}, "id"), ({"id": "x" * 129}, "id"), ({"profile_id": ""}, "profile_id"), ({"title_id": ""}, "title_id"),
    ({"kind": 0}, "kind"), ({"kind": 99}, "kind"), ({"at_ms": 0}, "at_ms"), ({"at_ms": -5}, "at_ms"),
    ({"progress": float("nan")}, "progress"), ({"progress": 1.5}, "progress"), ({"title_id": "a\0"}, "title_id"),
])
def test_a_bad_event_is_named(record, event, fails, change, named):
    error = fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: record([event(), event(**change)]))
    assert "events" in error.details() and named in error.details()


def test_messages_before_a_bad_one_are_recorded(record, event, fails):
    good = event()
    fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: record([good], [event(id="")]))
    assert record([good]).duplicates == 1


def test_a_message_has_a_thousand_events_at_most(record, event, fails):
    assert record([event() for _ in range(1000)]).accepted == 1000
    error = fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: record([event() for _ in range(1001)]))
    assert "1000" in error.details()
