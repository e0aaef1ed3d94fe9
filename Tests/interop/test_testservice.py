"""gRPC's standard interop cases by Python's grpcio against `interop-server`, in plain text and by mutual TLS."""

import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from testservice import LARGE_REQUEST, LARGE_RESPONSE

SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263A and non-BMP \U0001F608\t\n"
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
TIMEOUT = 30


@pytest.fixture(scope="module")
def channel(interop_server):
    with interop_server.channel() as channel:
        yield channel


@pytest.fixture
def stub(interop_messages, channel):
    return interop_messages.services.TestServiceStub(channel)


@pytest.fixture
def large(interop_messages):
    """The large request, with changes."""
    types = interop_messages.types
    return lambda **fields: types.SimpleRequest(
        response_size=LARGE_RESPONSE, payload=types.Payload(body=bytes(LARGE_REQUEST)), **fields)


@pytest.fixture
def ping(interop_messages):
    types = interop_messages.types
    return lambda *sizes, body=0, interval=0: types.StreamingOutputCallRequest(
        payload=types.Payload(body=bytes(body)), response_parameters=[
            types.ResponseParameters(size=size, interval_us=interval) for size in sizes])


def test_empty_unary(stub, interop_messages):
    assert stub.EmptyCall(interop_messages.empty.Empty(), timeout=TIMEOUT) == interop_messages.empty.Empty()


@pytest.mark.parametrize("method", ["UnaryCall", "CacheableUnaryCall"])
def test_large_unary_and_cacheable_unary(stub, large, method):
    assert getattr(stub, method)(large(), timeout=TIMEOUT).payload.body == bytes(LARGE_RESPONSE)


def test_who_answers_and_who_asks(stub, large, interop_server):
    response = stub.UnaryCall(large(fill_server_id=True, fill_username=True), timeout=TIMEOUT)
    assert response.server_id == "marquee"
    assert response.username == ("spiffe://marquee.test/edge-client/edge-client" if interop_server.certs else "")


def test_client_streaming(stub, interop_messages):
    types = interop_messages.types
    requests = (types.StreamingInputCallRequest(payload=types.Payload(body=bytes(size)))
                for size in (27_182, 8, 1_828, 45_904))
    assert stub.StreamingInputCall(requests, timeout=TIMEOUT).aggregated_payload_size == 74_922


def test_server_streaming(stub, ping):
    sizes = (31_415, 9, 2_653, 58_979)
    responses = stub.StreamingOutputCall(ping(*sizes, interval=100), timeout=TIMEOUT)
    assert tuple(len(response.payload.body) for response in responses) == sizes


class Requests:
    """An iterator of requests that are given one by one."""

    def __init__(self):
        self.condition, self.items, self.closed = threading.Condition(), [], False

    def put(self, item):
        with self.condition:
            self.items.append(item)
            self.condition.notify()

    def close(self):
        with self.condition:
            self.closed = True
            self.condition.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.condition:
            while not self.items and not self.closed:
                self.condition.wait()
            if self.items:
                return self.items.pop(0)
            raise StopIteration


def test_ping_pong(stub, ping):
    requests = Requests()
    responses = stub.FullDuplexCall(requests, timeout=TIMEOUT)
    for asked, size in ((27_182, 31_415), (8, 9), (1_828, 2_653), (45_904, 58_979)):
        requests.put(ping(size, body=asked))
        assert len(next(responses).payload.body) == size
    requests.close()
    with pytest.raises(StopIteration):
        next(responses)
    assert responses.code() == grpc.StatusCode.OK


def test_half_duplex(stub, ping):
    responses = stub.HalfDuplexCall(iter([ping(1), ping(2, 3)]), timeout=TIMEOUT)
    assert [len(response.payload.body) for response in responses] == [1, 2, 3]


def test_empty_stream(stub):
    assert list(stub.FullDuplexCall(iter(()), timeout=TIMEOUT)) == []


def test_cancel_after_begin(stub):
    requests = Requests()
    call = stub.StreamingInputCall.future(requests, timeout=TIMEOUT)
    call.cancel()
    requests.close()
    assert call.cancelled() and call.code() == grpc.StatusCode.CANCELLED


def test_cancel_after_first_response(stub, ping):
    requests = Requests()
    call = stub.FullDuplexCall(requests, timeout=TIMEOUT)
    requests.put(ping(31_415, body=27_182))
    assert len(next(call).payload.body) == 31_415
    call.cancel()
    requests.close()
    with pytest.raises(grpc.RpcError):
        next(call)
    assert call.code() == grpc.StatusCode.CANCELLED


def test_timeout_on_sleeping_server(stub, ping, fails):
    requests = Requests()
    requests.put(ping(31_415, body=27_182, interval=60_000_000))
    call = stub.FullDuplexCall(requests, timeout=0.2)
    try:
        fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: next(call))
    finally:
        requests.close()


def test_custom_metadata(stub, large, ping):
    metadata = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
    _, unary = stub.UnaryCall.with_call(large(), metadata=metadata, timeout=TIMEOUT)
    stream = stub.FullDuplexCall(iter([ping(LARGE_RESPONSE, body=LARGE_REQUEST)]), metadata=metadata, timeout=TIMEOUT)
    assert [len(response.payload.body) for response in stream] == [LARGE_RESPONSE]
    for call in (unary, stream):
        assert dict(call.initial_metadata())[INITIAL] == "test_initial_metadata_value"
        assert dict(call.trailing_metadata())[TRAILING] == b"\xab\xab\xab"


@pytest.mark.parametrize("value", [b"", b"\x00", bytes(range(256)), b",", b"\xff\xfe, \x00"])
def test_binary_metadata_of_any_bytes_come_back(stub, interop_messages, value):
    _, call = stub.EmptyCall.with_call(interop_messages.empty.Empty(), metadata=((TRAILING, value),), timeout=TIMEOUT)
    assert dict(call.trailing_metadata())[TRAILING] == value


@pytest.mark.parametrize("message", ["test status message", SPECIAL, "100 %, %41, %", ""])
def test_status_code_and_message_and_special_status_message(stub, interop_messages, fails, message):
    types = interop_messages.types
    status = types.EchoStatus(code=2, message=message)
    unary = fails(grpc.StatusCode.UNKNOWN,
                  lambda: stub.UnaryCall(types.SimpleRequest(response_status=status), timeout=TIMEOUT))
    streaming = fails(grpc.StatusCode.UNKNOWN, lambda: list(stub.FullDuplexCall(
        iter([types.StreamingOutputCallRequest(response_status=status)]), timeout=TIMEOUT)))
    assert (unary.details(), streaming.details()) == (message, message)


def test_every_status(stub, interop_messages, fails):
    types = interop_messages.types
    for code in grpc.StatusCode:
        if code != grpc.StatusCode.OK:
            request = types.SimpleRequest(response_status=types.EchoStatus(code=code.value[0], message="as asked"))
            assert fails(code, lambda: stub.UnaryCall(request, timeout=TIMEOUT)).details() == "as asked"


def test_unimplemented_method(stub, interop_messages, fails):
    fails(grpc.StatusCode.UNIMPLEMENTED,
          lambda: stub.UnimplementedCall(interop_messages.empty.Empty(), timeout=TIMEOUT))


def test_unimplemented_service(channel, interop_messages, fails):
    stub = interop_messages.services.UnimplementedServiceStub(channel)
    fails(grpc.StatusCode.UNIMPLEMENTED,
          lambda: stub.UnimplementedCall(interop_messages.empty.Empty(), timeout=TIMEOUT))


def test_client_compressed_unary(stub, large, interop_messages, fails):
    expects = lambda value: large(expect_compressed=interop_messages.types.BoolValue(value=value))
    fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.UnaryCall(expects(True), timeout=TIMEOUT))
    fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.UnaryCall(
        expects(False), compression=grpc.Compression.Gzip, timeout=TIMEOUT))
    for expected, compression in ((True, grpc.Compression.Gzip), (False, None)):
        response = stub.UnaryCall(expects(expected), compression=compression, timeout=TIMEOUT)
        assert response.payload.body == bytes(LARGE_RESPONSE)


def test_client_compressed_streaming(stub, interop_messages, fails):
    types = interop_messages.types

    def requests(expected):
        for size in (27_182, 45_904):
            yield types.StreamingInputCallRequest(
                payload=types.Payload(body=bytes(size)), expect_compressed=types.BoolValue(value=expected))

    fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.StreamingInputCall(requests(True), timeout=TIMEOUT))
    for expected, compression in ((True, grpc.Compression.Gzip), (False, None)):
        response = stub.StreamingInputCall(requests(expected), compression=compression, timeout=TIMEOUT)
        assert response.aggregated_payload_size == 73_086


@pytest.mark.parametrize("compressed", [True, False])
def test_server_compressed_unary(stub, large, interop_messages, compressed):
    request = large(response_compressed=interop_messages.types.BoolValue(value=compressed))
    assert stub.UnaryCall(request, timeout=TIMEOUT).payload.body == bytes(LARGE_RESPONSE)


def test_server_compressed_streaming(stub, interop_messages):
    types = interop_messages.types
    request = types.StreamingOutputCallRequest(response_parameters=[
        types.ResponseParameters(size=size, compressed=types.BoolValue(value=value))
        for size, value in ((31_415, True), (92_653, False))])
    assert [len(response.payload.body) for response in stub.StreamingOutputCall(request, timeout=TIMEOUT)] == [
        31_415, 92_653]


def test_deflate_is_refused_by_name_and_a_later_call_works(interop_server, interop_messages, large, fails):
    with interop_server.channel(compression=grpc.Compression.Deflate) as deflating:
        stub = interop_messages.services.TestServiceStub(deflating)
        fails(grpc.StatusCode.UNIMPLEMENTED, lambda: stub.UnaryCall(large(), timeout=TIMEOUT))
        assert stub.UnaryCall(large(), compression=grpc.Compression.Gzip, timeout=TIMEOUT).payload.body


def test_a_hundred_and_fifty_streams_at_once_share_the_connection(stub, ping):
    calls = [stub.FullDuplexCall(iter([ping(1000, 2000)]), timeout=TIMEOUT) for _ in range(150)]
    assert all([len(response.payload.body) for response in call] == [1000, 2000] for call in calls)


def test_orca_oob(stub, channel, interop_messages, ping):
    request = interop_messages.load_types.OrcaLoadReportRequest()
    request.report_interval.FromMilliseconds(100)
    reports = interop_messages.load_services.OpenRcaServiceStub(channel).StreamCoreMetrics(request, timeout=TIMEOUT)
    requests = Requests()
    responses = stub.FullDuplexCall(requests, timeout=TIMEOUT)
    for cpu, memory, util in ((0.8210, 0.5847, 0.30499), (0.29309, 0.2, 0.2039)):
        asked = ping(1)
        asked.orca_oob_report.CopyFrom(interop_messages.types.TestOrcaReport(
            cpu_utilization=cpu, memory_utilization=memory, utilization={"util": util}))
        requests.put(asked)
        next(responses)
        wanted = interop_messages.load.OrcaLoadReport(
            cpu_utilization=cpu, mem_utilization=memory, utilization={"util": util})
        assert any(report == wanted for report, _ in zip(reports, range(3)))
    requests.close()
    reports.cancel()


def test_health(channel):
    request = health_pb2.HealthCheckRequest(service="grpc.testing.TestService")
    status = health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT).status
    assert status == health_pb2.HealthCheckResponse.SERVING
