package import Base

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// The `golden/all` segment: queries whose answers are known, which a generation must give before it serves.
///
/// A query is a few watched titles and the ten titles that retrieval found for them when the snapshot was built: the
/// unit-normalised plain sum of their vectors, searched at the index's default settings among all live titles. Written
/// by the builder, answered by each replica. JSON with sorted keys, so that equal queries are equal bytes:
///
///     {"formatVersion":1,"queries":[{"expected":["t9", …],"watched":["t1","t2"]}, …]}
package struct GoldenQueries: Sendable, Equatable {
  package static let formatVersion = 1
  /// 64 queries of about 300 bytes are 20 KB; a replica answers them within 20 ms.
  package static let queryCountMax = 64
  package static let watchedCountMax = 20
  package static let expectedCountMax = 10
  package static let byteCountMax = 1 << 20
  /// The part of all expected titles that must be found.
  package static let agreementMin = 0.9

  package struct Query: Sendable, Equatable {
    package var watched: [String]
    package var expected: [String]

    package init(watched: [String], expected: [String]) {
      self.watched = watched
      self.expected = expected
    }
  }

  package var queries: [Query]

  package init(queries: [Query]) { self.queries = queries }

  /// The bytes of the segment. A query beyond a limit is a broken promise of the builder.
  package static func encode(_ queries: [Query]) -> [UInt8] {
    precondition(fault(in: queries) == nil, "golden queries \(fault(in: queries) ?? "")")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(Document(formatVersion: formatVersion, queries: queries)) else {
      preconditionFailure("strings and numbers are always JSON")
    }
    return [UInt8](data)
  }

  package init(bytes: UnsafeRawBufferPointer, name: String) throws(Refusal) {
    guard bytes.count <= Self.byteCountMax else {
      throw Refusal(.limitExceeded, at: name, "has \(bytes.count) bytes, \(Self.byteCountMax) at most")
    }
    guard let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)) else {
      throw Refusal(.unreadable, at: name, "is not the JSON of golden queries")
    }
    guard document.formatVersion == Self.formatVersion else {
      throw Refusal(
        .unreadable, at: name, "has format \(document.formatVersion), this reader knows \(Self.formatVersion)"
      )
    }
    if let fault = Self.fault(in: document.queries) { throw Refusal(.unreadable, at: name, fault) }
    queries = document.queries
  }

  private struct Document: Codable {
    var formatVersion: Int
    var queries: [Query]
  }

  private static func fault(in queries: [Query]) -> String? {
    guard (1...queryCountMax).contains(queries.count) else {
      return "has \(queries.count) queries, 1 to \(queryCountMax) belong"
    }
    for (index, query) in queries.enumerated() {
      guard (1...watchedCountMax).contains(query.watched.count),
        (1...expectedCountMax).contains(query.expected.count)
      else {
        return "query \(index) has \(query.watched.count) watched and \(query.expected.count) expected titles"
      }
      guard Set(query.expected).count == query.expected.count else {
        return "query \(index) expects a title twice"
      }
    }
    return nil
  }
}

extension GoldenQueries.Query: Codable {}
