"""grpc.reflection, both versions: tools need no .proto of ours."""

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


@pytest.fixture(params=["v1", "v1alpha"])
def ask(request, channel):
    """Questions to one version, on one stream; the messages of both are the same on the wire."""
    call = channel("edge-client").stream_stream(
        f"/grpc.reflection.{request.param}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)

    def questions(*fields):
        requests = [reflection_pb2.ServerReflectionRequest(host="h", **each) for each in fields]
        responses = list(call(iter(requests), timeout=10))
        assert [response.original_request for response in responses] == requests
        return responses

    return questions


def files(response):
    return [descriptor_pb2.FileDescriptorProto.FromString(each)
            for each in response.file_descriptor_response.file_descriptor_proto]


def test_services_are_listed(ask):
    [response] = ask({"list_services": "*"})
    names = {service.name for service in response.list_services_response.service}
    assert names >= {"marquee.v1.Ranking", "marquee.v1.Events", "marquee.v1.Routing", "grpc.health.v1.Health",
                     "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}


def test_a_file_is_found_by_its_name_and_by_its_symbols(ask):
    by_name, service, message, method = ask(
        {"file_by_filename": "marquee/v1/ranking.proto"}, {"file_containing_symbol": "marquee.v1.Ranking"},
        {"file_containing_symbol": "marquee.v1.RankedTitle"}, {"file_containing_symbol": "marquee.v1.Ranking.Rank"})
    for response in (by_name, service, message, method):
        assert "marquee/v1/ranking.proto" in [file.name for file in files(response)]


def test_what_is_unknown_is_an_answer_and_the_stream_goes_on(ask):
    no_file, no_symbol, known = ask(
        {"file_by_filename": "nope.proto"}, {"file_containing_symbol": "no.such.Symbol"}, {"list_services": ""})
    assert no_file.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert no_symbol.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert known.list_services_response.service


def test_a_client_that_has_only_reflection_ranks(channel):
    database = ProtoReflectionDescriptorDatabase(channel("edge-client"))
    assert "marquee.v1.Ranking" in database.get_services()
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName("marquee.v1.Ranking").FindMethodByName("Rank")
    request_type = message_factory.GetMessageClass(method.input_type)
    response_type = message_factory.GetMessageClass(method.output_type)
    call = channel("edge-client").unary_unary(
        "/marquee.v1.Ranking/Rank", request_serializer=request_type.SerializeToString,
        response_deserializer=response_type.FromString)
    assert call(request_type(profile_id="reflected", country="US"), timeout=10).rows
