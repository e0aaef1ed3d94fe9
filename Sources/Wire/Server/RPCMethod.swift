package import Base

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// One method of a service: its path, who may call it, and what answers. One object, which all of its calls hold.
package final class RPCMethod: Sendable {
  /// Who may call a method. Nobody else reaches its handler.
  package enum Admission: Sendable, Equatable, ExpressibleByArrayLiteral {
    /// Every peer that has a connection: health and reflection.
    case everyone
    case roles(Set<Role>)

    package static let nobody = Admission.roles([])

    package init(arrayLiteral roles: Role...) { self = .roles(Set(roles)) }

    package func admits(_ peer: Peer) -> Bool {
      switch self {
      case .everyone: true
      case .roles(let roles): !roles.isDisjoint(with: peer.roles)
      }
    }
  }

  package enum Handler: Sendable {
    /// Called on the event loop with the one message: it must not block, and answers later, from any thread, exactly
    /// once, through ``ServerCall/reply(_:)`` or ``ServerCall/fail(_:)``.
    case unary(@Sendable (ServerCall, [UInt8]) -> Void)
    /// A task for each call: client-, server-streaming and both. Returning ends the call well; a thrown `Fault` is
    /// its status.
    case streaming(@Sendable (ServerCall, RequestStream, ResponseWriter) async throws -> Void)
  }

  /// `/package.Service/Method`.
  package let path: String
  private let pathBytes: [UInt8]
  package let admits: Admission
  package let handler: Handler
  /// Whether a draining server waits for open calls of this method. Not for watchers, which never end by themselves.
  package let holdsDrain: Bool

  /// A method of the fleet: who may call it is in ``AccessTable/fleet``, and nobody may when it isn't there.
  package convenience init(_ path: String, holdsDrain: Bool = true, _ handler: Handler) {
    self.init(path: path, admits: AccessTable.fleet[path], holdsDrain: holdsDrain, handler: handler)
  }

  /// A method of a service that is none of the fleet's, such as a test's.
  package convenience init(_ path: String, admits: Admission, holdsDrain: Bool = true, _ handler: Handler) {
    precondition(!AccessTable.fleet.names(path), "who may call \(path) is said in the access table alone")
    self.init(path: path, admits: admits, holdsDrain: holdsDrain, handler: handler)
  }

  private init(path: String, admits: Admission, holdsDrain: Bool, handler: Handler) {
    precondition(path.first == "/" && path.split(separator: "/").count == 2, "\(path) is no method path")
    self.path = path
    pathBytes = Array(path.utf8)
    self.admits = admits
    self.handler = handler
    self.holdsDrain = holdsDrain
  }

  func hasPath(_ path: ArraySlice<UInt8>) -> Bool {
    guard path.count == pathBytes.count else { return false }
    return path.withUnsafeBytes { path in
      pathBytes.withUnsafeBytes { own in
        guard let first = path.baseAddress, let second = own.baseAddress else { return false }
        return memcmp(first, second, own.count) == 0
      }
    }
  }

  /// `package.Service`.
  package var service: String { String(path.dropFirst().prefix { $0 != "/" }) }
}

/// The methods of a server by the bytes of their paths, so that looking one up allocates nothing.
struct MethodTable: Sendable {
  private let methods: [RPCMethod]
  /// Open addressing, at most half full; -1 is a free slot.
  private var slots: [Int]

  init(_ methods: [RPCMethod]) {
    self.methods = methods
    var size = 16
    while size < methods.count * 2 { size *= 2 }
    slots = [Int](repeating: -1, count: size)
    for (index, method) in methods.enumerated() {
      var slot = Self.hash(Array(method.path.utf8)[...]) & (size - 1)
      while slots[slot] >= 0 {
        precondition(methods[slots[slot]].path != method.path, "\(method.path) is registered twice")
        slot = (slot + 1) & (size - 1)
      }
      slots[slot] = index
    }
  }

  subscript(_ path: ArraySlice<UInt8>) -> RPCMethod? {
    var slot = Self.hash(path) & (slots.count - 1)
    while slots[slot] >= 0 {
      if methods[slots[slot]].hasPath(path) { return methods[slots[slot]] }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// FNV-1a. The table is fixed at start, so a peer can't fill it with collisions.
  private static func hash(_ path: ArraySlice<UInt8>) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return Int(truncatingIfNeeded: hash ^ hash >> 32) & Int.max
  }
}
