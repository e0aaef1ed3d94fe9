package import Base
internal import CMessages

/// `FollowRequest` and `Directive`.
package enum FollowCodec {
  private static let request = MessageShape.request(
    marquee__v1__follow_request__init, fieldCountMax: StatusCodec.fieldCountMax + 64)
  private static let reply = MessageShape.reply(
    marquee__v1__directive__init, fieldCountMax: RoutingCodec.fieldCountMax + Limits.replicaCountMax + 64)

  package static func decodeReport(_ bytes: [UInt8]) throws(Fault) -> FollowReport {
    try request.decode(bytes) { message throws(Fault) in
      let status = try Field.inside(
        try Field.required(message.status, "status"), "status", StatusCodec.read)
      if let hello = message.hello {
        guard message.nonce == 0, message.refusal == nil else {
          throw Fault(
            .invalidArgument, "hello answers no directive: nonce and refusal have no place beside it")
        }
        return .hello(
          try Field.inside(hello.pointee, "hello") { hello throws(Fault) in
            FollowReport.Hello(
              region: try Field.requiredText(hello.region, "region"),
              replica: try Field.requiredText(hello.replica, "replica"),
              address: try Field.requiredText(
                hello.address, "address", max: CodecLimits.addressByteCountMax),
              status: status)
          })
      }
      if let refusal = message.refusal {
        guard message.nonce > 0 else { throw Fault(.invalidArgument, "nonce of what is refused is required") }
        return .refused(
          nonce: message.nonce,
          refusal: try Field.inside(refusal.pointee, "refusal", StatusCodec.readRefusal), status: status)
      }
      return message.nonce == 0 ? .changed(status) : .acknowledged(nonce: message.nonce, status: status)
    }
  }

  package static func encode(_ report: FollowReport) -> [UInt8] {
    var writer = ProtoWriter(capacity: 256)
    let status: ReplicaStatus
    switch report {
    case .hello(let hello):
      writer.message(1) { inner in
        inner.text(1, hello.region)
        inner.text(2, hello.replica)
        inner.text(3, hello.address)
      }
      status = hello.status
    case .acknowledged(let nonce, let its):
      writer.number(2, nonce)
      status = its
    case .refused(let nonce, let refusal, let its):
      writer.number(2, nonce)
      writer.message(3) { StatusCodec.write(refusal, to: &$0) }
      status = its
    case .changed(let its):
      status = its
    }
    writer.message(4) { StatusCodec.write(status, to: &$0) }
    return writer.bytes
  }

  package static func decodeDirective(_ bytes: [UInt8]) throws(Fault) -> Directive {
    try reply.decode(bytes) { message throws(Fault) in
      guard message.nonce > 0 else { throw Fault(.invalidArgument, "nonce is required") }
      let body: Directive.Body
      switch (message.stage, message.announce, message.routing) {
      case (let stage?, nil, nil): body = try Field.inside(stage.pointee, "stage", readStage)
      case (nil, let announce?, nil): body = try Field.inside(announce.pointee, "announce", readAnnounce)
      case (nil, nil, let table?):
        body = .routing(try Field.inside(table.pointee, "routing", RoutingCodec.read))
      default: throw Fault(.invalidArgument, "has to have one of stage, announce and routing")
      }
      return Directive(nonce: message.nonce, body: body)
    }
  }

  package static func encode(_ directive: Directive) -> [UInt8] {
    var writer = ProtoWriter(capacity: 256)
    writer.number(1, directive.nonce)
    switch directive.body {
    case .stage(let manifest, let peers):
      writer.message(2) { inner in
        inner.message(1) { SignedCodec.write(manifest, to: &$0) }
        for address in peers { inner.textElement(2, address) }
      }
    case .announce(let sequence, let digest, let rollback):
      writer.message(3) { inner in
        inner.number(1, sequence)
        inner.data(2, digest.bytes)
        if let rollback { inner.message(3) { SignedCodec.write(rollback, to: &$0) } }
      }
    case .routing(let table):
      writer.message(4) { RoutingCodec.write(table, to: &$0) }
    }
    return writer.bytes
  }

  private static func readStage(_ message: Marquee__V1__Directive__Stage) throws(Fault) -> Directive.Body {
    .stage(
      manifest: try Field.inside(
        try Field.required(message.manifest, "manifest"), "manifest", SignedCodec.read),
      peers: try Field.texts(
        message.peers, message.n_peers, "peers", max: Limits.replicaCountMax,
        byteCountMax: CodecLimits.addressByteCountMax))
  }

  private static func readAnnounce(
    _ message: Marquee__V1__Directive__Announce
  ) throws(Fault) -> Directive.Body {
    var rollback: SignedBytes?
    if let order = message.rollback {
      rollback = try Field.inside(order.pointee, "rollback", SignedCodec.read)
    }
    return .announce(
      sequence: message.sequence, digest: try Field.digest(message.digest, "digest"), rollback: rollback)
  }
}
