package import Base

/// What `Regions/fleet.yaml` says: which regions there are, who serves in them, where clients go when one can't be
/// reached, and whose signatures count. Pure data; read once at the start of a process.
package struct FleetConfiguration: Sendable, Equatable {
  package struct Region: Sendable, Equatable {
    package var name: String
    /// `host:port` of each replica.
    package var replicas: [String]
    /// Regions where a client goes when this one can't be reached, in order.
    package var fallbacks: [String]

    package init(name: String, replicas: [String], fallbacks: [String] = []) {
      self.name = name
      self.replicas = replicas
      self.fallbacks = fallbacks
    }
  }

  /// The file and those it names are read whole; a fleet of 1,024 replicas needs about 40 KB.
  package static let fileByteCountMax = 1 << 20

  package var regions: [Region]
  /// Manifests and orders count when one of these signed them. None: nothing can be published.
  package var trustedKeys: [PublicKey]

  package init(regions: [Region], trustedKeys: [PublicKey]) {
    self.regions = regions
    self.trustedKeys = trustedKeys
  }

  package func region(named name: String) -> Region? { regions.first { $0.name == name } }

  /// The table before any failover.
  package func routing(epoch: UInt64) -> RoutingTable {
    RoutingTable(
      epoch: epoch,
      regions: regions.map { .init(name: $0.name, replicas: $0.replicas, fallbacks: $0.fallbacks) })
  }

  /// Region names go into file names, trailers and command lines: 1 to 64 of `a-z 0-9 -`, a letter first.
  package static func isRegionName(_ name: String) -> Bool {
    guard (1...64).contains(name.utf8.count), let first = name.utf8.first else { return false }
    return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
      && name.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
      }
  }

  /// `host:port`, with a port of 1 to 65535; an IPv6 host stands in brackets.
  package static func isAddress(_ address: String) -> Bool {
    guard address.utf8.count <= 261, let colon = address.lastIndex(of: ":"),
      let port = UInt16(address[address.index(after: colon)...]), port > 0
    else { return false }
    let host = address[..<colon]
    if host.hasPrefix("[") && host.hasSuffix("]") {
      return host.count > 2
        && host.dropFirst().dropLast().allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
    }
    return !host.isEmpty
      && host.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") }
  }
}

/// What is wrong in a configuration file, where, and what to do about it.
package struct ConfigurationFault: Error, Equatable, Sendable {
  package var file: String
  /// From 1; 0 when the file as a whole is meant.
  package var line: Int
  package var column: Int
  package var message: String

  package init(file: String, line: Int = 0, column: Int = 0, _ message: String) {
    self.file = file
    self.line = line
    self.column = column
    self.message = message
  }
}

extension ConfigurationFault: CustomStringConvertible {
  package var description: String {
    line == 0 ? "\(file): \(message)" : "\(file):\(line):\(column): \(message)"
  }
}
