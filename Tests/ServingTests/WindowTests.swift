import Base
import Snapshots
import Testing

@testable import Serving

@Suite struct WindowTests {
  @Test func `no more is asked for at once than one chunk may have, and no more chunks than a request names`()
  {
    let sizes = [200, 56, 1, 256, 255, 2].map { $0 << 10 } + Array(repeating: 1, count: 130)
    let chunks = sizes.enumerated().map { index, size in
      Manifest.Chunk(byteCount: UInt32(size), digest: Digest(of: Array("\(index)".utf8)))
    }
    let windows = Replica.windows(of: chunks)
    #expect(windows.flatMap(\.self) == chunks.map(\.digest))
    #expect(windows.map(\.count) == [2, 1, 1, 1, 64, 64, 3])
    #expect(Replica.windows(of: []).isEmpty)
  }
}
