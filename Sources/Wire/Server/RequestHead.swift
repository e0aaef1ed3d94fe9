internal import Base

/// What a request's header block says, once all of it was found in order: shared by the calls whose blocks are the same.
final class RequestHead: Sendable {
  let headers: ReceivedHeaders
  let method: RPCMethod
  let caller: Caller
  /// How the request's messages may be compressed.
  let encoding: MessageEncoding

  init(headers: ReceivedHeaders, method: RPCMethod, caller: Caller) {
    self.headers = headers
    self.method = method
    self.caller = caller
    encoding = MessageEncoding(headers.block)
  }
}

/// Where a header block has the fields that decide what becomes of a request, found in one pass.
struct RequestFields {
  private(set) var method: Int?
  private(set) var path: Int?
  private(set) var contentType: Int?
  /// Whether the block has a field whose value is base64.
  private(set) var hasBytes = false

  /// Of fields that are given twice the first counts.
  init(_ block: HeaderBlock) {
    for index in block.indices {
      switch block.nameCount(index) {
      case 5 where path == nil && block.name(index, is: ":path"): path = index
      case 7 where method == nil && block.name(index, is: ":method"): method = index
      case 12 where contentType == nil && block.name(index, is: "content-type"): contentType = index
      default: if !hasBytes { hasBytes = block.name(index, endsIn: "-bin") }
      }
    }
  }
}
