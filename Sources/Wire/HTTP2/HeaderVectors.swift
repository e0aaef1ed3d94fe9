internal import CNGHTTP2

extension HeaderBlock {
  func withVectors<Result>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Result) -> Result {
    bytes.withUnsafeBufferPointer { bytes in
      // nghttp2 copies names and values; it asks for mutable pointers and doesn't write through them.
      let base = UnsafeMutablePointer(mutating: bytes.baseAddress)
      return withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.count) { vectors in
        for (index, field) in fields.enumerated() {
          vectors.initializeElement(
            at: index,
            to: nghttp2_nv(
              name: base.map { $0 + field.start },
              value: base.map { $0 + field.start + field.nameCount },
              namelen: field.nameCount, valuelen: field.valueCount, flags: flagNone))
        }
        return body(UnsafeBufferPointer(vectors))
      }
    }
  }
}

/// The two header lists of nearly every reply, kept for the life of the process.
enum EverydayHeaders {
  /// Guard for `nonisolated(unsafe)`: never written after it is made.
  nonisolated(unsafe) static let response = make([
    (":status", "200"), ("content-type", "application/grpc"),
  ])
  nonisolated(unsafe) static let trailers = make([("grpc-status", "0")])

  private static func make(_ fields: [(StaticString, StaticString)]) -> UnsafeBufferPointer<nghttp2_nv> {
    let vectors = UnsafeMutableBufferPointer<nghttp2_nv>.allocate(capacity: fields.count)
    let flags = UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
    for (index, (name, value)) in fields.enumerated() {
      vectors.initializeElement(
        at: index,
        to: nghttp2_nv(
          name: UnsafeMutablePointer(mutating: name.utf8Start),
          value: UnsafeMutablePointer(mutating: value.utf8Start),
          namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount, flags: flags))
    }
    return UnsafeBufferPointer(vectors)
  }
}
