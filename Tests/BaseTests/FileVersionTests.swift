import Base
import Foundation
import Testing

@Suite("FileVersion")
struct FileVersionTests {
  private func status(modified: Int64, size: Int = 5) -> stat {
    var status = stat()
    status.st_size = off_t(size)
    let time = timespec(tv_sec: Int(modified / 1_000_000_000), tv_nsec: Int(modified % 1_000_000_000))
    #if canImport(Glibc)
      (status.st_mtim, status.st_ctim) = (time, time)
    #else
      (status.st_mtimespec, status.st_ctimespec) = (time, time)
    #endif
    return status
  }

  @Test("a file that was written a tick ago has none, nor one whose times are whole seconds for two of them")
  func settled() {
    let now: Int64 = 1_700_000_010_500_000_000
    #expect(FileVersion(status(modified: now - 99_000_000), now: now) == nil)
    #expect(FileVersion(status(modified: now - 101_000_000), now: now) != nil)
    #expect(FileVersion(status(modified: 1_700_000_009_000_000_000), now: now) == nil)
    #expect(FileVersion(status(modified: 1_700_000_008_000_000_000), now: now) != nil)
    #expect(FileVersion(status(modified: now + 1), now: now) == nil, "a clock that was set back")
  }

  @Test("size and times tell versions apart")
  func different() {
    let now: Int64 = 1_700_000_010_500_000_000
    let one = FileVersion(status(modified: 1_600_000_000_000_000_001), now: now)
    #expect(one == FileVersion(status(modified: 1_600_000_000_000_000_001), now: now + 1))
    #expect(one != FileVersion(status(modified: 1_600_000_000_000_000_002), now: now))
    #expect(one != FileVersion(status(modified: 1_600_000_000_000_000_001, size: 6), now: now))
  }
}
