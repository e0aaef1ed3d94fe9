// gRPC's standard interop cases by C++ gRPC, which can say for each message whether it is compressed, and knows it of
// each that it gets.
//
// Usage: client ADDRESS CASE [AUTHORITY CERTIFICATE KEY]: mutual TLS with the PEM files, plain text without them.

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "grpc/testing/messages.pb.h"
#include "grpc/testing/test.grpc.pb.h"

// Exported by libgrpc for tests; its headers don't declare them.
uint32_t grpc_call_test_only_get_message_flags(grpc_call* call);
grpc_compression_algorithm grpc_call_test_only_get_compression_algorithm(grpc_call* call);

namespace grpc::testing {
// The friend that ClientContext names.
class InteropClientContextInspector {
 public:
  static bool WasCompressed(const ClientContext& context) {
    // Still compressed, or inflated by the library meanwhile.
    constexpr uint32_t kCompressed = 0x80000000u | 0x40000000u;
    return grpc_call_test_only_get_message_flags(context.call_) & kCompressed;
  }
  static bool AnnouncedCompression(const ClientContext& context) {
    return grpc_call_test_only_get_compression_algorithm(context.call_) != GRPC_COMPRESS_NONE;
  }
};
}  // namespace grpc::testing

namespace {

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using grpc::WriteOptions;
using namespace grpc::testing;
using Inspector = InteropClientContextInspector;
using Stub = TestService::Stub;

constexpr int kLargeRequest = 271828;
constexpr int kLargeResponse = 314159;
const std::vector<int> kRequests = {27182, 8, 1828, 45904};
const std::vector<int> kResponses = {31415, 9, 2653, 58979};

[[noreturn]] void Fail(const std::string& text) {
  std::cerr << text << std::endl;
  std::exit(1);
}

void Check(bool holds, const std::string& text) {
  if (!holds) Fail(text);
}

void CheckStatus(const Status& status, StatusCode code) {
  std::ostringstream text;
  text << "status " << status.error_code() << " (" << status.error_message() << "), not " << code;
  Check(status.error_code() == code, text.str());
}

std::unique_ptr<ClientContext> Context(int seconds = 60) {
  auto context = std::make_unique<ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
  return context;
}

std::string Zeros(int count) { return std::string(count, '\0'); }

SimpleRequest Large() {
  SimpleRequest request;
  request.set_response_size(kLargeResponse);
  request.mutable_payload()->set_body(Zeros(kLargeRequest));
  return request;
}

void CallLarge(Stub& stub, ClientContext& context, const SimpleRequest& request) {
  SimpleResponse response;
  CheckStatus(stub.UnaryCall(&context, request, &response), StatusCode::OK);
  Check(response.payload().body() == Zeros(kLargeResponse), "another payload");
}

StreamingOutputCallRequest Ping(int asked, int size) {
  StreamingOutputCallRequest request;
  request.mutable_payload()->set_body(Zeros(asked));
  request.add_response_parameters()->set_size(size);
  return request;
}

void EmptyUnary(Stub& stub) {
  auto context = Context();
  Empty response;
  CheckStatus(stub.EmptyCall(context.get(), Empty(), &response), StatusCode::OK);
}

void LargeUnary(Stub& stub) { CallLarge(stub, *Context(), Large()); }

void ClientStreaming(Stub& stub) {
  auto context = Context();
  StreamingInputCallResponse response;
  auto writer = stub.StreamingInputCall(context.get(), &response);
  for (int size : kRequests) {
    StreamingInputCallRequest request;
    request.mutable_payload()->set_body(Zeros(size));
    Check(writer->Write(request), "a write failed");
  }
  writer->WritesDone();
  CheckStatus(writer->Finish(), StatusCode::OK);
  Check(response.aggregated_payload_size() == 74922, "another sum");
}

void ServerStreaming(Stub& stub) {
  auto context = Context();
  StreamingOutputCallRequest request;
  for (int size : kResponses) request.add_response_parameters()->set_size(size);
  auto reader = stub.StreamingOutputCall(context.get(), request);
  StreamingOutputCallResponse response;
  for (int size : kResponses) {
    Check(reader->Read(&response) && response.payload().body() == Zeros(size), "another response");
  }
  Check(!reader->Read(&response), "a response too many");
  CheckStatus(reader->Finish(), StatusCode::OK);
}

void SlowConsumer(Stub& stub) {
  auto context = Context(120);
  StreamingOutputCallRequest request;
  for (int index = 0; index < 2000; index++) request.add_response_parameters()->set_size(1030);
  auto reader = stub.StreamingOutputCall(context.get(), request);
  StreamingOutputCallResponse response;
  for (int index = 0; index < 2000; index++) {
    Check(reader->Read(&response) && response.payload().body().size() == 1030, "another response");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Check(!reader->Read(&response), "a response too many");
  CheckStatus(reader->Finish(), StatusCode::OK);
}

void HalfDuplex(Stub& stub) {
  auto context = Context();
  auto stream = stub.HalfDuplexCall(context.get());
  for (int size : kResponses) Check(stream->Write(Ping(0, size)), "a write failed");
  stream->WritesDone();
  StreamingOutputCallResponse response;
  for (int size : kResponses) {
    Check(stream->Read(&response) && response.payload().body() == Zeros(size), "another response");
  }
  CheckStatus(stream->Finish(), StatusCode::OK);
}

void PingPong(Stub& stub) {
  auto context = Context();
  auto stream = stub.FullDuplexCall(context.get());
  StreamingOutputCallResponse response;
  for (size_t index = 0; index < kRequests.size(); index++) {
    Check(stream->Write(Ping(kRequests[index], kResponses[index])), "a write failed");
    Check(stream->Read(&response) && response.payload().body() == Zeros(kResponses[index]), "another response");
  }
  stream->WritesDone();
  Check(!stream->Read(&response), "a response too many");
  CheckStatus(stream->Finish(), StatusCode::OK);
}

void EmptyStream(Stub& stub) {
  auto context = Context();
  auto stream = stub.FullDuplexCall(context.get());
  stream->WritesDone();
  StreamingOutputCallResponse response;
  Check(!stream->Read(&response), "a response too many");
  CheckStatus(stream->Finish(), StatusCode::OK);
}

void CancelAfterBegin(Stub& stub) {
  auto context = Context();
  StreamingInputCallResponse response;
  auto writer = stub.StreamingInputCall(context.get(), &response);
  context->TryCancel();
  CheckStatus(writer->Finish(), StatusCode::CANCELLED);
}

void CancelAfterFirstResponse(Stub& stub) {
  auto context = Context();
  auto stream = stub.FullDuplexCall(context.get());
  StreamingOutputCallResponse response;
  Check(stream->Write(Ping(27182, 31415)) && stream->Read(&response), "no response");
  context->TryCancel();
  CheckStatus(stream->Finish(), StatusCode::CANCELLED);
}

void TimeoutOnSleepingServer(Stub& stub) {
  ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
  auto stream = stub.FullDuplexCall(&context);
  stream->Write(Ping(27182, 31415));
  CheckStatus(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);

  ClientContext longer;
  longer.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  auto sleeping = stub.FullDuplexCall(&longer);
  auto request = Ping(27182, 31415);
  request.mutable_response_parameters(0)->set_interval_us(60000000);
  sleeping->Write(request);
  StreamingOutputCallResponse response;
  Check(!sleeping->Read(&response), "a response from a sleeping server");
  CheckStatus(sleeping->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

void PickFirstUnary(Stub& stub) {
  SimpleRequest request;
  request.set_fill_server_id(true);
  std::string id;
  for (int index = 0; index < 100; index++) {
    auto context = Context();
    SimpleResponse response;
    CheckStatus(stub.UnaryCall(context.get(), request, &response), StatusCode::OK);
    if (index == 0) id = response.server_id();
    Check(!id.empty() && response.server_id() == id, "another server");
  }
}

const std::string kInitial = "x-grpc-test-echo-initial";
const std::string kTrailing = "x-grpc-test-echo-trailing-bin";
const std::string kInitialValue = "test_initial_metadata_value";
const std::string kTrailingValue("\x0a\x0b\x0a\x0b\x0a\x0b", 6);

template <typename Fields>
void CheckField(const Fields& fields, const std::string& name, const std::string& value) {
  auto found = fields.find(name);
  Check(found != fields.end() && std::string(found->second.data(), found->second.size()) == value,
        name + " did not come back");
}

void CustomMetadata(Stub& stub) {
  auto unary = Context();
  unary->AddMetadata(kInitial, kInitialValue);
  unary->AddMetadata(kTrailing, kTrailingValue);
  CallLarge(stub, *unary, Large());
  CheckField(unary->GetServerInitialMetadata(), kInitial, kInitialValue);
  CheckField(unary->GetServerTrailingMetadata(), kTrailing, kTrailingValue);

  auto context = Context();
  context->AddMetadata(kInitial, kInitialValue);
  context->AddMetadata(kTrailing, kTrailingValue);
  auto stream = stub.FullDuplexCall(context.get());
  StreamingOutputCallResponse response;
  Check(stream->Write(Ping(kLargeRequest, kLargeResponse)), "a write failed");
  stream->WritesDone();
  Check(stream->Read(&response) && response.payload().body() == Zeros(kLargeResponse), "another response");
  Check(!stream->Read(&response), "a response too many");
  CheckStatus(stream->Finish(), StatusCode::OK);
  CheckField(context->GetServerInitialMetadata(), kInitial, kInitialValue);
  CheckField(context->GetServerTrailingMetadata(), kTrailing, kTrailingValue);
}

void StatusOf(Stub& stub, const std::string& message) {
  auto unary = Context();
  SimpleRequest simple;
  simple.mutable_response_status()->set_code(2);
  simple.mutable_response_status()->set_message(message);
  SimpleResponse ignored;
  Status status = stub.UnaryCall(unary.get(), simple, &ignored);
  CheckStatus(status, StatusCode::UNKNOWN);
  Check(status.error_message() == message, "another message: " + status.error_message());

  auto context = Context();
  auto stream = stub.FullDuplexCall(context.get());
  StreamingOutputCallRequest request;
  *request.mutable_response_status() = simple.response_status();
  stream->Write(request);
  stream->WritesDone();
  StreamingOutputCallResponse response;
  while (stream->Read(&response)) {
  }
  status = stream->Finish();
  CheckStatus(status, StatusCode::UNKNOWN);
  Check(status.error_message() == message, "another message: " + status.error_message());
}

void StatusCodeAndMessage(Stub& stub) { StatusOf(stub, "test status message"); }

void SpecialStatusMessage(Stub& stub) {
  StatusOf(stub, "\t\ntest with whitespace\r\nand Unicode BMP \xE2\x98\xBA and non-BMP \xF0\x9F\x98\x88\t\n");
}

void UnimplementedMethod(Stub& stub) {
  auto context = Context();
  Empty response;
  CheckStatus(stub.UnimplementedCall(context.get(), Empty(), &response), StatusCode::UNIMPLEMENTED);
}

void ClientCompressedUnary(Stub& stub) {
  auto probe = Context();
  SimpleRequest request = Large();
  request.mutable_expect_compressed()->set_value(true);
  SimpleResponse ignored;
  CheckStatus(stub.UnaryCall(probe.get(), request, &ignored), StatusCode::INVALID_ARGUMENT);
  for (bool compressed : {true, false}) {
    auto context = Context();
    context->set_compression_algorithm(compressed ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
    request.mutable_expect_compressed()->set_value(compressed);
    CallLarge(stub, *context, request);
  }
}

void ServerCompressedUnary(Stub& stub) {
  for (bool compressed : {true, false}) {
    auto context = Context();
    SimpleRequest request = Large();
    request.mutable_response_compressed()->set_value(compressed);
    CallLarge(stub, *context, request);
    Check(Inspector::WasCompressed(*context) == compressed, "the flag is not what was asked for");
    Check(!compressed || Inspector::AnnouncedCompression(*context), "no grpc-encoding");
  }
}

void ClientCompressedStreaming(Stub& stub) {
  StreamingInputCallRequest request;
  request.mutable_payload()->set_body(Zeros(27182));
  request.mutable_expect_compressed()->set_value(true);
  {
    auto probe = Context();
    StreamingInputCallResponse ignored;
    auto writer = stub.StreamingInputCall(probe.get(), &ignored);
    writer->Write(request);
    writer->WritesDone();
    CheckStatus(writer->Finish(), StatusCode::INVALID_ARGUMENT);
  }
  auto context = Context();
  context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  StreamingInputCallResponse response;
  auto writer = stub.StreamingInputCall(context.get(), &response);
  Check(writer->Write(request), "a write failed");
  request.mutable_payload()->set_body(Zeros(45904));
  request.mutable_expect_compressed()->set_value(false);
  Check(writer->Write(request, WriteOptions().set_no_compression()), "a write failed");
  writer->WritesDone();
  CheckStatus(writer->Finish(), StatusCode::OK);
  Check(response.aggregated_payload_size() == 73086, "another sum");
}

void ServerCompressedStreaming(Stub& stub) {
  auto context = Context();
  StreamingOutputCallRequest request;
  for (auto [size, compressed] : {std::pair(31415, true), std::pair(92653, false)}) {
    auto* parameters = request.add_response_parameters();
    parameters->set_size(size);
    parameters->mutable_compressed()->set_value(compressed);
  }
  auto reader = stub.StreamingOutputCall(context.get(), request);
  StreamingOutputCallResponse response;
  for (const auto& parameters : request.response_parameters()) {
    Check(reader->Read(&response) && response.payload().body() == Zeros(parameters.size()), "another response");
    Check(Inspector::WasCompressed(*context) == parameters.compressed().value(), "another flag");
  }
  Check(!reader->Read(&response), "a response too many");
  CheckStatus(reader->Finish(), StatusCode::OK);
}

void RPCSoak(Stub& stub) {
  for (int index = 0; index < 100; index++) LargeUnary(stub);
}

std::string Read(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  Check(file.good(), std::string("can't read ") + path);
  return text.str();
}

const std::map<std::string, std::function<void(Stub&)>> kCases = {
    {"empty_unary", EmptyUnary},
    {"large_unary", LargeUnary},
    {"client_streaming", ClientStreaming},
    {"server_streaming", ServerStreaming},
    {"slow_consumer", SlowConsumer},
    {"half_duplex", HalfDuplex},
    {"ping_pong", PingPong},
    {"empty_stream", EmptyStream},
    {"cancel_after_begin", CancelAfterBegin},
    {"cancel_after_first_response", CancelAfterFirstResponse},
    {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
    {"pick_first_unary", PickFirstUnary},
    {"custom_metadata", CustomMetadata},
    {"status_code_and_message", StatusCodeAndMessage},
    {"special_status_message", SpecialStatusMessage},
    {"unimplemented_method", UnimplementedMethod},
    {"client_compressed_unary", ClientCompressedUnary},
    {"server_compressed_unary", ServerCompressedUnary},
    {"client_compressed_streaming", ClientCompressedStreaming},
    {"server_compressed_streaming", ServerCompressedStreaming},
    {"rpc_soak", RPCSoak},
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3 && count != 6) Fail("usage: client ADDRESS CASE [AUTHORITY CERTIFICATE KEY]");
  auto credentials = grpc::InsecureChannelCredentials();
  if (count == 6) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = Read(arguments[3]);
    options.pem_cert_chain = Read(arguments[4]);
    options.pem_private_key = Read(arguments[5]);
    credentials = grpc::SslCredentials(options);
  }
  const std::string name = arguments[2];
  if (name == "channel_soak") {
    for (int index = 0; index < 50; index++) {
      grpc::ChannelArguments own;
      own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      Stub stub(grpc::CreateCustomChannel(arguments[1], credentials, own));
      LargeUnary(stub);
    }
    return 0;
  }
  auto channel = grpc::CreateChannel(arguments[1], credentials);
  if (name == "unimplemented_service") {
    UnimplementedService::Stub stub(channel);
    auto context = Context();
    Empty response;
    CheckStatus(stub.UnimplementedCall(context.get(), Empty(), &response), StatusCode::UNIMPLEMENTED);
    return 0;
  }
  auto found = kCases.find(name);
  if (found == kCases.end()) Fail("no case " + name);
  Stub stub(channel);
  found->second(stub);
}
