internal import CNGHTTP2

/// A body of plain bytes on its way out, for answers in HTTP's own words; lives on its event loop.
final class PlainBody {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private func read(into target: UnsafeMutableRawBufferPointer) -> (count: Int, isOver: Bool) {
    let count = min(target.count, bytes.count - offset)
    target[..<count].copyBytes(from: bytes[offset..<offset + count])
    offset += count
    return (count, offset == bytes.count)
  }

  /// Holds this body without owning it: keep it until its stream has closed.
  var provider: nghttp2_data_provider {
    var provider = nghttp2_data_provider()
    provider.source.ptr = Unmanaged.passUnretained(self).toOpaque()
    provider.read_callback = { _, _, buffer, length, flags, source, _ in
      guard let pointer = source?.pointee.ptr, let buffer, let flags else {
        return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
      }
      let body = Unmanaged<PlainBody>.fromOpaque(pointer).takeUnretainedValue()
      let (count, isOver) = body.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: length))
      if isOver { flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
      return count
    }
    return provider
  }
}
