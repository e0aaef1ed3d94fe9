package import Base

/// `TestOrcaReport`: the load that a server is to report of itself.
package struct TestOrcaReport: TestMessage {
  package var cpuUtilization = 0.0
  package var memoryUtilization = 0.0
  package var requestCost: [String: Double] = [:]
  package var utilization: [String: Double] = [:]

  package init() {}

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    switch field {
    case 1: cpuUtilization = value.double ?? cpuUtilization
    case 2: memoryUtilization = value.double ?? memoryUtilization
    case 3: try Self.add(try value.message(), to: &requestCost)
    case 4: try Self.add(try value.message(), to: &utilization)
    default: break
    }
  }

  private static func add(_ entry: NamedNumber?, to map: inout [String: Double]) throws(Fault) {
    if let entry { map[entry.name] = entry.number }
  }

  package func write(to writer: inout FieldWriter) {
    writer.double(1, cpuUtilization)
    writer.double(2, memoryUtilization)
    Self.write(requestCost, 3, to: &writer)
    Self.write(utilization, 4, to: &writer)
  }

  fileprivate static func write(_ map: [String: Double], _ field: UInt64, to writer: inout FieldWriter) {
    for (name, number) in map.sorted(by: { $0.key < $1.key }) {
      var entry = NamedNumber()
      entry.name = name
      entry.number = number
      writer.message(field, entry)
    }
  }
}

/// One entry of a map.
private struct NamedNumber: TestMessage {
  var name = ""
  var number = 0.0

  mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    switch field {
    case 1: name = try value.text() ?? name
    case 2: number = value.double ?? number
    default: break
    }
  }

  func write(to writer: inout FieldWriter) {
    writer.text(1, name)
    writer.double(2, number)
  }
}

extension TestOrcaReport {
  /// The same as ORCA's own `OrcaLoadReport`.
  var loadReport: [UInt8] {
    var writer = FieldWriter()
    writer.double(1, cpuUtilization)
    writer.double(2, memoryUtilization)
    Self.write(requestCost, 4, to: &writer)
    Self.write(utilization, 5, to: &writer)
    return writer.bytes
  }
}

/// `OrcaLoadReportRequest`, of which the interval matters here.
struct LoadReportRequest: TestMessage {
  var intervalMicroseconds: Int64 = 0

  mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    guard field == 1, case .bytes(let bytes) = value else { return }
    var reader = FieldReader(bytes)
    intervalMicroseconds = 0
    while let (field, value) = try reader.next() {
      guard case .number(let number) = value else { continue }
      // Seconds, then nanoseconds. An hour is as good as what is longer.
      switch field {
      case 1: intervalMicroseconds += min(max(Int64(bitPattern: number), 0), 3600) * 1_000_000
      case 2: intervalMicroseconds += min(max(Int64(bitPattern: number), 0), 1_000_000_000) / 1000
      default: break
      }
    }
  }

  func write(to writer: inout FieldWriter) {}
}

/// What is reported beside calls; the same for every caller.
final class ReportedLoad: Sendable {
  private let report = Locked(TestOrcaReport())

  var load: TestOrcaReport { report.withLock { $0 } }
  func set(_ load: TestOrcaReport) { report.withLock { $0 = load } }
}
