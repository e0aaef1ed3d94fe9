/// A header block that came, shared by all that came with the same fields right after it: most requests of a connection
/// have the same ones.
final class ReceivedHeaders: Sendable {
  let block: HeaderBlock

  init(_ block: HeaderBlock) { self.block = block }
}
