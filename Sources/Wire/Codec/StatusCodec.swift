internal import Base
internal import CMessages

/// `ReplicaStatus` and `Refusal`, which travel inside other messages.
enum StatusCodec {
  /// Beside the refused versions, whose fields are 8 each at most.
  static let fieldCountMax = 256 + Limits.refusedVersionCountMax * 8

  static func read(_ message: Marquee__V1__ReplicaStatus) throws(Fault) -> ReplicaStatus {
    guard let phase = ReplicaStatus.Phase(rawValue: Int(message.phase.rawValue)) else {
      throw Fault(.invalidArgument, "phase \(message.phase.rawValue) is no ReplicaPhase")
    }
    try Field.checkCount(message.n_staged, "staged", max: Limits.refusedVersionCountMax)
    return ReplicaStatus(
      phase: phase, serving: message.serving,
      servingDigest: try Field.optionalDigest(message.serving_digest, "serving_digest"),
      staged: (0..<message.n_staged).map { message.staged[$0] },
      refused: try Field.list(
        message.refused, message.n_refused, "refused", max: Limits.refusedVersionCountMax, refusedVersion),
      routingEpoch: message.routing_epoch, bytesTotal: message.bytes_total,
      bytesFetched: message.bytes_fetched, bytesReused: message.bytes_reused,
      readyMilliseconds: message.ready_ms,
      recall: message.recall == nil
        ? nil : try Field.inside(try Field.required(message.recall, "recall"), "recall", readRecall))
  }

  private static func readRecall(_ message: Marquee__V1__RetrievalRecall) throws(Fault) -> RetrievalRecall {
    for share in [message.mean, message.low, message.high, message.target]
    where !(share >= 0 && share <= 1) {
      throw Fault(.invalidArgument, "recall \(share) is not 0 to 1")
    }
    return RetrievalRecall(
      sampleCount: message.samples, mean: message.mean, low: message.low, high: message.high,
      target: message.target, partialCount: message.partial, droppedCount: message.dropped)
  }

  /// The newest of what is more than a message may hold.
  static func write(_ status: ReplicaStatus, to writer: inout ProtoWriter) {
    writer.number(1, UInt64(status.phase.rawValue))
    writer.number(2, status.serving)
    writer.data(3, status.servingDigest?.bytes ?? [])
    writer.packed(4, status.staged.suffix(Limits.refusedVersionCountMax))
    for version in status.refused.suffix(Limits.refusedVersionCountMax) {
      writer.message(5) { inner in
        inner.number(1, version.sequence)
        inner.data(2, version.digest.bytes)
        inner.message(3) { write(version.refusal, to: &$0) }
      }
    }
    writer.number(6, status.routingEpoch)
    writer.number(7, status.bytesTotal)
    writer.number(8, status.bytesFetched)
    writer.number(9, status.bytesReused)
    writer.number(10, UInt64(status.readyMilliseconds))
    if let recall = status.recall {
      writer.message(11) { inner in
        inner.number(1, recall.sampleCount)
        inner.float(2, recall.mean)
        inner.float(3, recall.low)
        inner.float(4, recall.high)
        inner.float(5, recall.target)
        inner.number(6, recall.partialCount)
        inner.number(7, recall.droppedCount)
      }
    }
  }

  static func readRefusal(_ message: Marquee__V1__Refusal) throws(Fault) -> Refusal {
    let text = try Field.requiredText(message.code, "code")
    guard let code = Refusal.Code(rawValue: text) else {
      throw Fault(.invalidArgument, "code \(text.debugDescription) is no code of a refusal")
    }
    return Refusal(
      code, at: try Field.text(message.place, "place", max: CodecLimits.textByteCountMax),
      try Field.text(message.message, "message", max: CodecLimits.textByteCountMax))
  }

  static func write(_ refusal: Refusal, to writer: inout ProtoWriter) {
    writer.text(1, refusal.code.rawValue)
    writer.text(2, refusal.place.cut(toByteCount: CodecLimits.textByteCountMax))
    writer.text(3, refusal.message.cut(toByteCount: CodecLimits.textByteCountMax))
  }

  private static func refusedVersion(
    _ message: Marquee__V1__RefusedVersion
  ) throws(Fault) -> ReplicaStatus.RefusedVersion {
    ReplicaStatus.RefusedVersion(
      sequence: message.sequence, digest: try Field.digest(message.digest, "digest"),
      refusal: try Field.inside(try Field.required(message.refusal, "refusal"), "refusal", readRefusal))
  }
}
