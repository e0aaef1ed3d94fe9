// The peer of the RPC benchmark on C++ gRPC: grpc-server PORT [CERTIFICATE KEY]. Its callback API, the faster one.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "marquee/v1/ranking.grpc.pb.h"

namespace {

constexpr int kTitles = 50;

class Ranking final : public marquee::v1::Ranking::CallbackService {
 public:
  Ranking() {
    for (int i = 0; i < kTitles; i++) {
      ids_.push_back("t" + std::to_string(1000000 + i * 7919));
      names_.push_back("Long Way Home " + std::to_string(100 + i));
    }
  }

  grpc::ServerUnaryReactor* Rank(grpc::CallbackServerContext* context, const marquee::v1::RankRequest* request,
                                 marquee::v1::RankResponse* reply) override {
    int seed = 0;
    for (unsigned char c : request->profile_id()) seed += c;
    reply->set_request_id(request->request_id());
    auto* row = reply->add_rows();
    row->set_id("top_picks");
    row->set_name("Top picks for you");
    const int count = std::min<int>(request->titles_per_row(), kTitles);
    row->mutable_titles()->Reserve(count);
    for (int i = 0; i < count; i++) {
      auto* title = row->add_titles();
      title->set_id(ids_[i]);
      title->set_name(names_[i]);
      title->set_score(static_cast<float>(1000 - i * 15 - seed % 7) / 1000);
      title->set_source(static_cast<marquee::v1::CandidateSource>(1 + (seed + i) % 6));
    }
    auto* snapshot = reply->mutable_snapshot();
    snapshot->set_sequence(42);
    snapshot->set_digest("5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
    snapshot->set_space("space-3");
    snapshot->set_model("ranker-2026-11-20");
    snapshot->set_features("features-7");
    snapshot->set_policy("policy-12");
    reply->set_region("north");
    reply->set_replica("north-1");
    reply->set_routing_epoch(7);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  std::vector<std::string> ids_, names_;
};

std::string contents(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::cerr << "usage: grpc-server PORT [CERTIFICATE KEY]\n";
    return 2;
  }
  auto credentials = grpc::InsecureServerCredentials();
  if (argc == 4) {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back({contents(argv[3]), contents(argv[2])});
    credentials = grpc::SslServerCredentials(options);
  }
  Ranking service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("127.0.0.1:") + argv[1], credentials);
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  if (!server) return 1;
  server->Wait();
}
