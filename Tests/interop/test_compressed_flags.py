"""What of compression is on the wire, message by message: a gRPC library hides it."""

import gzip
import zlib

import pytest
from testservice import LARGE_RESPONSE, framed

PATH = "/grpc.testing.TestService/"
GZIP = ("grpc-encoding", "gzip")
ACCEPTS = ("grpc-accept-encoding", "identity,gzip")


@pytest.fixture
def raw(interop_server):
    with interop_server.raw() as connection:
        yield connection


@pytest.fixture
def types(interop_messages):
    return interop_messages.types


def unary(types, raw, compressed, headers=(ACCEPTS,)):
    request = types.SimpleRequest(
        response_size=LARGE_RESPONSE, response_compressed=types.BoolValue(value=compressed))
    return raw.call(PATH + "UnaryCall", framed(request.SerializeToString()), headers)


def test_a_reply_is_compressed_when_it_is_to_be(types, raw):
    reply = unary(types, raw, True)
    assert reply.status == "0" and reply.headers["grpc-encoding"] == "gzip"
    ((flag, message),) = reply.messages
    assert flag == 1 and len(message) < LARGE_RESPONSE / 10
    assert types.SimpleResponse.FromString(gzip.decompress(message)).payload.body == bytes(LARGE_RESPONSE)


@pytest.mark.parametrize("compressed, headers", [
    (False, [ACCEPTS]), (True, []), (True, [("grpc-accept-encoding", "identity,deflate")])])
def test_a_reply_is_plain_otherwise(types, raw, compressed, headers):
    reply = unary(types, raw, compressed, headers)
    assert reply.status == "0" and "grpc-encoding" not in reply.headers
    ((flag, message),) = reply.messages
    assert flag == 0 and types.SimpleResponse.FromString(message).payload.body == bytes(LARGE_RESPONSE)


@pytest.mark.parametrize("wanted", [(True, False), (False, True), (None, True, None), (False, False)])
def test_each_response_of_a_stream_has_the_flag_that_was_asked_for(types, raw, wanted):
    request = types.StreamingOutputCallRequest()
    for value in wanted:
        parameters = request.response_parameters.add(size=31_415)
        if value is not None:
            parameters.compressed.value = value
    reply = raw.call(PATH + "StreamingOutputCall", framed(request.SerializeToString()), [ACCEPTS])
    assert reply.status == "0"
    assert [flag for flag, _ in reply.messages] == [int(bool(value)) for value in wanted]
    assert reply.headers.get("grpc-encoding") == ("gzip" if any(wanted) else None)
    for flag, message in reply.messages:
        response = types.StreamingOutputCallResponse.FromString(gzip.decompress(message) if flag else message)
        assert response.payload.body == bytes(31_415)


def test_a_client_stream_may_mix_compressed_and_plain(types, raw):
    body = b""
    for size, compressed in ((27_182, True), (45_904, False), (10, True)):
        message = types.StreamingInputCallRequest(
            payload=types.Payload(body=bytes(size)), expect_compressed=types.BoolValue(value=compressed))
        data = message.SerializeToString()
        body += framed(gzip.compress(data) if compressed else data, compressed)
    reply = raw.call(PATH + "StreamingInputCall", body, [GZIP])
    assert reply.status == "0", reply.trailers
    ((flag, message),) = reply.messages
    assert (flag, types.StreamingInputCallResponse.FromString(message).aggregated_payload_size) == (0, 73_096)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_message_is_checked_when_it_is_to_be(types, raw, compressed):
    data = types.SimpleRequest(expect_compressed=types.BoolValue(value=not compressed)).SerializeToString()
    reply = raw.call(
        PATH + "UnaryCall", framed(gzip.compress(data) if compressed else data, compressed), [GZIP])
    assert reply.status == "3"


@pytest.mark.parametrize("encoding", ["deflate", "br", "x-gzip"])
def test_an_encoding_that_is_not_known_is_refused_with_those_that_are(raw, encoding):
    reply = raw.call(PATH + "UnaryCall", framed(zlib.compress(b""), True), [("grpc-encoding", encoding)])
    assert reply.status == "12" and reply.headers["grpc-accept-encoding"] == "identity,gzip"


@pytest.mark.parametrize("headers", [[], [("grpc-encoding", "identity")]])
def test_a_mark_without_an_encoding_is_an_internal_error(raw, headers):
    assert raw.call(PATH + "UnaryCall", framed(gzip.compress(b""), True), headers).status == "13"


@pytest.mark.parametrize("message", [b"", b"no gzip at all", gzip.compress(b"cut")[:-1]])
def test_broken_gzip_is_an_internal_error_of_its_call_alone(types, raw, message):
    assert raw.call(PATH + "UnaryCall", framed(message, True), [GZIP]).status == "13"
    assert unary(types, raw, True).status == "0"


def test_a_bomb_is_over_the_limit(types, raw):
    bomb = gzip.compress(bytes(100 << 20))
    for method in ("UnaryCall", "StreamingInputCall"):
        assert raw.call(PATH + method, framed(bomb, True), [GZIP]).status == "8"
    assert unary(types, raw, True).status == "0"
