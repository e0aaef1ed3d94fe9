import Base
import Glibc

@testable import Ranking

/// What the targets of imported models share: a file that lies in memory, rows to score, and how refusals must be.
enum ModelRows {
  /// Where segments are written: a file of this process, on a file system in memory if there is one.
  static let path: String = {
    let folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    return "\(folder)/marquee-fuzz-\(getpid())"
  }()

  private static let odd: [Float] = [
    .nan, 0, -0.0, 1, 2, .infinity, -.infinity, 0.5, -0.5, -1, 1e-35, -1e-36, 3, 7, 31, 32, 63, 64, 1e9,
    -3e38,
  ]

  /// Rows with the values on which models differ. Fewer of wide ones.
  static func rows(_ width: Int) -> (values: [Float], count: Int) {
    let count = width > 64 ? 3 : 17
    return ((0..<count * width).map { odd[($0 * 7 + $0 / width * 3) % odd.count] }, count)
  }

  /// A refusal says which file, where, and why, in words that fit on a screen.
  static func check(_ refusal: Refusal, of name: String) {
    let codes: [Refusal.Code] = [.malformed, .truncated, .unreadable, .limitExceeded, .newerReader]
    guard codes.contains(refusal.code), refusal.place.hasPrefix(name), !refusal.message.isEmpty else {
      found("a refusal that doesn't say what is wrong: \(refusal)")
    }
    guard refusal.place.utf8.count < 1000, refusal.message.utf8.count < 1000 else {
      found("a refusal of \(refusal.place.utf8.count) and \(refusal.message.utf8.count) bytes")
    }
  }

  /// What was imported may still be more than a segment holds, and then says so.
  static func isWritten(_ write: () throws -> Void) -> Bool {
    do { try write() } catch let fault as Fault
      where [.invalidArgument, .resourceExhausted].contains(fault.code)
    {
      return false
    } catch { found("an imported model can't be written: \(error)") }
    return true
  }

  static func open() -> any Ranker {
    do { return try RankerSegment.open(MappedBytes(path: path), name: "segment") } catch {
      found("a segment that we wrote is refused: \(error)")
    }
  }

  static func isSame(_ left: Double, _ right: Double) -> Bool {
    left == right || (left.isNaN && right.isNaN)
  }
}
