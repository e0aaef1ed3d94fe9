"""grpc.health.v1, with the standard client."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.fixture(params=["edge", "control"])
def health(request, channel):
    return health_pb2_grpc.HealthStub(channel("ops", request.param))


def test_the_whole_server_is_serving(health):
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=10).status == SERVING


def test_a_service_is_serving(channel):
    health = health_pb2_grpc.HealthStub(channel("edge-client"))
    request = health_pb2.HealthCheckRequest(service="marquee.v1.Ranking")
    assert health.Check(request, timeout=10).status == SERVING


def test_an_unknown_service_is_not_found(health, fails):
    request = health_pb2.HealthCheckRequest(service="no.such.Service")
    fails(grpc.StatusCode.NOT_FOUND, lambda: health.Check(request, timeout=10))


@pytest.mark.parametrize("service, status", [("", SERVING), ("no.such.Service", SERVICE_UNKNOWN)])
def test_a_watcher_hears_the_status_at_once_and_the_stream_stays_open(health, service, status):
    call = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=2)
    assert next(call).status == status
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.skipif(not hasattr(health_pb2, "HealthListRequest"), reason="this grpcio-health-checking has no List")
def test_list_has_the_server_and_its_services(channel):
    health = health_pb2_grpc.HealthStub(channel("edge-client"))
    statuses = health.List(health_pb2.HealthListRequest(), timeout=10).statuses
    assert statuses[""].status == SERVING
    assert statuses["marquee.v1.Ranking"].status == SERVING
