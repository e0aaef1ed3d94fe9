/// Where a request's header block has the fields that decide what becomes of it, found in one pass.
struct RequestHead {
  private(set) var method: Int?
  private(set) var path: Int?
  private(set) var contentType: Int?
  private(set) var timeout: Int?
  /// Whether the block has a field whose value is base64.
  private(set) var hasBytes = false

  /// Of fields that are given twice the first counts.
  init(_ block: HeaderBlock) {
    for index in block.indices {
      switch block.nameCount(index) {
      case 5 where path == nil && block.name(index, is: ":path"): path = index
      case 7 where method == nil && block.name(index, is: ":method"): method = index
      case 12 where contentType == nil && block.name(index, is: "content-type"): contentType = index
      case 12 where timeout == nil && block.name(index, is: "grpc-timeout"): timeout = index
      default: if !hasBytes { hasBytes = block.name(index, endsIn: "-bin") }
      }
    }
  }
}
