import Dispatch
import Synchronization

/// A file of titles, one JSON object a line, read in order and in bounded memory.
package final class TitleFile {
  private let reader: LineReader

  /// The number of the line that the last title came from; 1 is the first.
  package var line: Int { reader.line }

  /// `file` is how faults call it.
  package init(path: String, file: String? = nil) throws(CatalogueFault) {
    reader = try LineReader(path: path, file: file)
  }

  /// The next title, `nil` at the end. Lines without anything in them are left out.
  package func next() throws(CatalogueFault) -> Title? {
    while let line = try reader.next() {
      guard !isBlank(line) else { continue }
      do { return try TitleParser.parse(line) } catch { throw error.at(reader.line, of: reader.file) }
    }
    return nil
  }

  /// Calls `body` with each title and its index (0 is the first), on `threadCount` threads, in no order.
  ///
  /// With `stride` above 1 only titles at multiples of it are parsed: a sample. Blank lines have an index too, so
  /// indices are those of lines; a workspace's own file has none. The fault of the lowest line is thrown.
  package static func each(
    path: String, threadCount: Int, stride step: Int = 1, _ body: @Sendable (Int, Title) -> Void
  ) throws(CatalogueFault) {
    let reader = try LineReader(path: path)
    let faults = Mutex<[CatalogueFault]>([])
    let file = reader.file
    let laneCount = max(1, threadCount)
    while let block = try reader.block(byteCount: 4 << 20) {
      let count = block.offsets.count - 1
      DispatchQueue.concurrentPerform(iterations: laneCount) { lane in
        let lines = (count * lane / laneCount)..<(count * (lane + 1) / laneCount)
        do throws(CatalogueFault) {
          try parse(lines, of: block, file: file, stride: step, body)
        } catch {
          faults.withLock { $0.append(error) }
        }
      }
      let first = faults.withLock { $0.min { ($0.line ?? 0) < ($1.line ?? 0) } }
      if let first { throw first }
    }
  }

  private static func parse(
    _ lines: Range<Int>, of block: LineBlock, file: String, stride step: Int,
    _ body: @Sendable (Int, Title) -> Void
  ) throws(CatalogueFault) {
    for position in lines {
      let index = block.firstLine - 1 + position
      guard index % step == 0 else { continue }
      let parsed: Result<Title?, LineFault> = block.bytes.withUnsafeBytes { bytes in
        let line = UnsafeRawBufferPointer(
          rebasing: bytes[block.offsets[position]..<block.offsets[position + 1]])
        guard !isBlank(line) else { return .success(nil) }
        do throws(LineFault) { return .success(try TitleParser.parse(line)) } catch { return .failure(error) }
      }
      switch parsed {
      case .success(let title): if let title { body(index, title) }
      case .failure(let fault): throw fault.at(index + 1, of: file)
      }
    }
  }
}

func isBlank(_ line: UnsafeRawBufferPointer) -> Bool {
  line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
}
