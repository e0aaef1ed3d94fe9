"""gRPC over HTTP/2 to the letter: headers, trailers and statuses as they are on the wire."""

import base64

import h2.errors
import pytest
from testservice import framed

PATH = "/grpc.testing.TestService/"
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


@pytest.fixture
def raw(interop_server):
    with interop_server.raw() as connection:
        yield connection


def failing(interop_messages, code, message):
    status = interop_messages.types.EchoStatus(code=code, message=message)
    return framed(interop_messages.types.SimpleRequest(response_status=status).SerializeToString())


def decoded(value):
    return base64.b64decode(value + "=" * (-len(value) % 4))


def test_a_good_call_has_a_header_list_a_message_and_trailers(raw):
    reply = raw.call(PATH + "EmptyCall", framed(b""))
    assert reply.headers == {":status": "200", "content-type": "application/grpc"}
    assert reply.messages == [(0, b"")]
    assert reply.trailers == {"grpc-status": "0"}


@pytest.mark.parametrize("content_type", [
    "application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc;charset=utf-8",
    "Application/gRPC", "APPLICATION/GRPC+PROTO"])
def test_a_content_type_of_grpc_is_served(raw, content_type):
    assert raw.call(PATH + "EmptyCall", framed(b""), content_type=content_type).status == "0"


@pytest.mark.parametrize("content_type", [
    None, "", "application/json", "application/grpc-web", "application/grpc-web+proto", "application/grp",
    "application/grpcx", "text/plain"])
def test_another_content_type_is_415(raw, content_type):
    headers = [("content-type", "")] if content_type == "" else []
    reply = raw.call(PATH + "EmptyCall", framed(b""), headers, content_type=content_type)
    assert reply.headers[":status"] == "415" and reply.status is None


def test_a_caller_without_te_is_served(raw):
    assert raw.call(PATH + "EmptyCall", framed(b""), te=None).status == "0"


def test_another_te_than_trailers_is_malformed(raw):
    assert raw.call(PATH + "EmptyCall", framed(b""), te="gzip").reset == h2.errors.ErrorCodes.PROTOCOL_ERROR
    assert raw.call(PATH + "EmptyCall", framed(b"")).status == "0"


@pytest.mark.parametrize("sent, values", [
    ("q6ur", [b"\xab\xab\xab"]), ("AQ", [b"\x01"]), ("AQ==", [b"\x01"]), ("AQI", [b"\x01\x02"]), ("AQI=", [b"\x01\x02"]),
    ("AQ==,AgM,BAUG", [b"\x01", b"\x02\x03", b"\x04\x05\x06"]), ("AQ, Ag==", [b"\x01", b"\x02"]), ("", [b""]),
    ("//8", [b"\xff\xff"]), ("++++", [b"\xfb\xef\xbe"])])
def test_binary_metadata_come_padded_unpadded_and_in_lists_and_go_unpadded(raw, sent, values):
    reply = raw.call(PATH + "EmptyCall", framed(b""), [(TRAILING, sent)])
    assert reply.status == "0"
    assert [decoded(value) for value in reply.trailers[TRAILING].split(",")] == values
    assert "=" not in reply.trailers[TRAILING]


def test_binary_metadata_in_two_fields_and_a_list_keep_their_order(raw):
    reply = raw.call(PATH + "EmptyCall", framed(b""), [(TRAILING, "AQ"), (TRAILING, "Ag==,Aw")])
    assert reply.trailers[TRAILING] == "AQ,Ag,Aw"


@pytest.mark.parametrize("sent", ["A", "AQ=", "A===", "*", "AQ==AQ==", "-_8"])
def test_binary_metadata_that_are_not_base64_are_an_internal_error(raw, sent):
    assert raw.call(PATH + "EmptyCall", framed(b""), [(TRAILING, sent)]).status == "13"


@pytest.mark.parametrize("message, sent", [
    ("plain text ~", "plain text ~"), ("100 %", "100 %25"), ("\t\r\n\x00\x7f", "%09%0D%0A%00%7F"), ("é", "%C3%A9"),
    ("\U0001F608", "%F0%9F%98%88"), (" both ends ", "%20both ends%20"), (" ", "%20"), ("  ", "%20%20"), ("", None)])
def test_a_message_is_percent_encoded(raw, interop_messages, message, sent):
    reply = raw.call(PATH + "UnaryCall", failing(interop_messages, 5, message))
    assert (reply.status, reply.headers.get("grpc-message")) == ("5", sent)


def test_a_call_that_fails_at_once_has_one_header_list(raw, interop_messages):
    for path, body, status in ((PATH + "UnaryCall", failing(interop_messages, 7, "no"), "7"),
                               (PATH + "UnimplementedCall", framed(b""), "12"),
                               ("/no.such.Service/Call", framed(b""), "12")):
        reply = raw.call(path, body, [(INITIAL, "as sent"), (TRAILING, "AQ")])
        assert reply.headers[":status"] == "200" and reply.headers["content-type"] == "application/grpc"
        assert reply.headers["grpc-status"] == status
        assert reply.trailers == {} and reply.body == b""


def test_a_stream_that_fails_late_has_its_status_in_trailers(raw, interop_messages):
    types = interop_messages.types
    asked = [types.StreamingOutputCallRequest(response_parameters=[types.ResponseParameters(size=1)]),
             types.StreamingOutputCallRequest(response_status=types.EchoStatus(code=9, message="late"))]
    body = b"".join(framed(each.SerializeToString()) for each in asked)
    reply = raw.call(PATH + "FullDuplexCall", body, [(INITIAL, "as sent"), (TRAILING, "AQ==")])
    assert reply.headers[INITIAL] == "as sent" and "grpc-status" not in reply.headers
    assert len(reply.messages) == 1
    assert reply.trailers == {"grpc-status": "9", "grpc-message": "late", TRAILING: "AQ"}


@pytest.mark.parametrize("timeout", ["", "5", "1s", "-1S", "123456789m", "1 S", "S", "0x1S"])
def test_a_timeout_that_can_not_be_read_is_an_invalid_argument(raw, timeout):
    assert raw.call(PATH + "EmptyCall", framed(b""), [("grpc-timeout", timeout)]).status == "3"


@pytest.mark.parametrize("timeout", ["1H", "99999999H", "60M", "00000060S", "60000m"])
def test_a_timeout_that_is_long_enough_is_no_hindrance(raw, timeout):
    assert raw.call(PATH + "EmptyCall", framed(b""), [("grpc-timeout", timeout)]).status == "0"


@pytest.mark.parametrize("body, status", [
    (b"", "12"), (framed(b"") * 2, "12"), (framed(b"")[:3], "13"), (framed(b"four")[:-1], "13"),
    (b"\x02\0\0\0\0", "13"), (b"\0\xff\xff\xff\xff", "8")])
def test_a_unary_call_has_one_whole_message(raw, body, status):
    assert raw.call(PATH + "EmptyCall", body).status == status


def test_another_method_than_post_is_405(raw):
    for method in ("GET", "PUT", "OPTIONS"):
        reply = raw.request([(":method", method), (":scheme", raw.scheme), (":path", PATH + "EmptyCall"),
                             (":authority", "localhost"), ("te", "trailers"), ("content-type", "application/grpc")])
        assert reply.headers[":status"] == "405" and reply.headers["allow"] == "POST"
        assert "grpc-status" not in reply.headers


def test_orca_per_rpc(raw, interop_messages):
    """By hand, since grpcio keeps this trailer for its balancers."""
    fields = {"cpu_utilization": 0.8210, "request_cost": {"cost": 3456.32}, "utilization": {"util": 0.30499}}
    asked = interop_messages.types.TestOrcaReport(memory_utilization=0.5847, **fields)
    request = interop_messages.types.SimpleRequest(orca_per_query_report=asked)
    reply = raw.call(PATH + "UnaryCall", framed(request.SerializeToString()))
    report = interop_messages.load.OrcaLoadReport.FromString(decoded(reply.trailers["endpoint-load-metrics-bin"]))
    assert report == interop_messages.load.OrcaLoadReport(mem_utilization=0.5847, **fields)
