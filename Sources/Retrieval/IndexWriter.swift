internal import Base
internal import CKernels

/// Writes an index segment: see ``VectorIndex`` for its sections.
struct IndexWriter {
  var head: IndexHead
  var centroids: Centroids
  var lists: Lists
  /// `nil` for a tail.
  var books: CodeBooks?
  var threads: Int

  /// Rooms for points of the recall curve, which are measured on what was written and put in later.
  static let pointCountMax = 48
  private static let chunkCount = 8192

  func write(_ source: some VectorSource, to path: String, progress: (Double) -> Void) throws {
    let writer = try SegmentWriter(
      path: path, kind: VectorIndex.kind, formatVersion: VectorIndex.formatVersion)
    try writer.add("HEAD", head.words)
    try writer.add("OFFS", lists.offsets)
    try writer.add("ORDN", lists.ordinals)
    let magnitudes = magnitudes(source)
    let steps = RowSteps(magnitudes)
    let step = lists.ordinals.map { steps.index(magnitudes[Int($0)]) }
    try writer.add("STEP", step)
    try writer.add("STPS", steps.values)
    let (codes, spreads) = try writeRows(source, steps: steps, step: step, to: writer, progress: progress)
    if let books {
      try writer.add("CENT", centroids.values)
      try writeCentroids(to: writer)
      try writer.add("SPRD", spreads)
      try writer.add("TURN", books.turn)
      try writer.add("WIDE", books.widths)
      try writer.add("BOOK", books.book)
      try writer.add("CODE", codes)
      try writer.add("TUNE", [Float](repeating: 0, count: EffortPoint.wordCount * Self.pointCountMax))
    }
    try writer.finish()
    progress(1)
  }

  /// Puts what was measured into a segment that is written.
  static func tune(_ path: String, head: IndexHead, curve: [EffortPoint]) throws {
    let mapped = try MappedBytes(path: path)
    let segment = try Segment(
      opening: mapped, name: path, kind: VectorIndex.kind, formatVersion: VectorIndex.formatVersion)
    let disk = SystemDisk()
    let put = { (bytes: UnsafeRawBufferPointer, place: UnsafeRawPointer?) throws in
      guard let place, let start = mapped.bytes.baseAddress else { return }
      try disk.write(bytes, to: path, at: place - start)
    }
    let points = curve.prefix(pointCountMax).flatMap(\.words)
    let headPlace = try segment.array("HEAD", of: UInt32.self).baseAddress.map { UnsafeRawPointer($0) }
    let tunePlace = try segment.array("TUNE", of: Float.self).baseAddress.map { UnsafeRawPointer($0) }
    try head.words.withUnsafeBytes { try put($0, headPlace) }
    try points.withUnsafeBytes { try put($0, tunePlace) }
    try disk.sync(path)
  }

  /// The largest magnitude of each vector.
  private func magnitudes(_ source: some VectorSource) -> [Float] {
    let dimensions = source.dimensions
    var magnitudes = [Float](repeating: 0, count: source.count)
    magnitudes.withUnsafeMutableBufferPointer { magnitudes in
      forEachBlock(of: source.count, blockCount: 256, threads: threads) { range, _ in
        withUnsafeTemporaryAllocation(of: Float.self, capacity: range.count * dimensions) { rows in
          source.copy(range, into: rows)
          for row in 0..<range.count {
            var largest: Float = 0
            for place in row * dimensions..<(row + 1) * dimensions {
              largest = max(largest, abs(rows[place]))
            }
            magnitudes[range.lowerBound + row] = largest
          }
        }
      }
    }
    return magnitudes
  }

  private func writeCentroids(to writer: SegmentWriter) throws {
    let stride = head.rowStride
    var rows = [UInt8](repeating: 128, count: centroids.count * stride)
    var scales = [Float](repeating: 0, count: centroids.count)
    for list in 0..<centroids.count {
      let range = list * centroids.dimensions..<(list + 1) * centroids.dimensions
      scales[list] = rows.withUnsafeMutableBufferPointer { rows in
        guard let to = rows.baseAddress else { return 0 }
        return mk_quantise(Array(centroids.values[range]), centroids.dimensions, to + list * stride)
      }
    }
    try writer.add("CEN8", rows)
    try writer.add("CSCL", scales)
  }

  /// Writes the rows list by list, and returns the codes in their blocks and how far each list spreads.
  private func writeRows(
    _ source: some VectorSource, steps: RowSteps, step: [UInt8], to writer: SegmentWriter,
    progress: (Double) -> Void
  ) throws -> (codes: [UInt8], spreads: [Float]) {
    let (stride, dimensions) = (head.rowStride, head.dimensions)
    let layout = CodeLayout(lists, pairCount: head.pairCount)
    var codes = [UInt8](repeating: 0, count: layout.byteCount)
    var squares = [Float](repeating: 0, count: books == nil ? 0 : lists.ordinals.count)
    var rows = [UInt8](repeating: 0, count: min(Self.chunkCount, lists.ordinals.count) * stride)
    try writer.begin("ROWS", elementByteCount: 1)
    for begin in Swift.stride(from: 0, to: lists.ordinals.count, by: Self.chunkCount) {
      let end = min(lists.ordinals.count, begin + Self.chunkCount)
      codes.withUnsafeMutableBufferPointer { codes in
        rows.withUnsafeMutableBufferPointer { rows in
          squares.withUnsafeMutableBufferPointer { squares in
            forEachBlock(of: end - begin, blockCount: 256, threads: threads) { range, _ in
              let places = begin + range.lowerBound..<begin + range.upperBound
              withUnsafeTemporaryAllocation(of: Float.self, capacity: range.count * dimensions) { vectors in
                guard let start = vectors.baseAddress, let bytes = rows.baseAddress else { return }
                for (row, place) in places.enumerated() {
                  let ordinal = Int(lists.ordinals[place])
                  let to = UnsafeMutableBufferPointer(start: start + row * dimensions, count: dimensions)
                  source.copy(ordinal..<ordinal + 1, into: to)
                  mk_quantise_by(
                    start + row * dimensions, dimensions, stride, steps.values[Int(step[place])],
                    bytes + (range.lowerBound + row) * stride)
                }
                guard let books else { return }
                subtractCentroids(from: start, of: places)
                for (row, place) in places.enumerated() {
                  for at in row * dimensions..<(row + 1) * dimensions {
                    squares[place] += start[at] * start[at]
                  }
                }
                layout.put(books.encode(start, count: places.count), of: places, into: codes)
              }
            }
          }
        }
      }
      if end - begin < Self.chunkCount { rows.removeLast(rows.count - (end - begin) * stride) }
      try writer.append(rows)
      progress(Double(end) / Double(lists.ordinals.count) * 0.99)
    }
    return (codes, spreads(squares))
  }

  /// Roots of the mean squares of each list.
  private func spreads(_ squares: [Float]) -> [Float] {
    guard !squares.isEmpty else { return [] }
    return (0..<head.listCount).map { list in
      let places = Int(lists.offsets[list])..<Int(lists.offsets[list + 1])
      return (squares[places].reduce(0, +) / Float(max(1, places.count))).squareRoot()
    }
  }

  private func subtractCentroids(from vectors: UnsafeMutablePointer<Float>, of places: Range<Int>) {
    let dimensions = head.dimensions
    var list = lists.list(of: places.lowerBound)
    centroids.values.withUnsafeBufferPointer { centroids in
      for (row, place) in places.enumerated() {
        while place >= Int(lists.offsets[list + 1]) { list += 1 }
        for dimension in 0..<dimensions {
          vectors[row * dimensions + dimension] -= centroids[list * dimensions + dimension]
        }
      }
    }
  }
}

/// Where codes go: blocks of 64 titles, each list's from a new block on.
private struct CodeLayout {
  private let lists: Lists
  private let pairCount: Int
  private let blocks: [Int]

  init(_ lists: Lists, pairCount: Int) {
    self.lists = lists
    self.pairCount = pairCount
    var blocks = [0]
    for (begin, end) in zip(lists.offsets, lists.offsets.dropFirst()) {
      blocks.append(blocks[blocks.count - 1] + (Int(end - begin) + Int(MK_BLOCK) - 1) / Int(MK_BLOCK))
    }
    self.blocks = blocks
  }

  var byteCount: Int { (blocks.last ?? 0) * Int(MK_BLOCK) * pairCount }

  /// `codes` has `places.count` bytes for each code.
  func put(_ codes: [UInt8], of places: Range<Int>, into all: UnsafeMutableBufferPointer<UInt8>) {
    let count = places.count
    var list = lists.list(of: places.lowerBound)
    for (row, place) in places.enumerated() {
      while place >= Int(lists.offsets[list + 1]) { list += 1 }
      let local = place - Int(lists.offsets[list])
      let block = (blocks[list] + local / Int(MK_BLOCK)) * pairCount
      for pair in 0..<pairCount {
        all[(block + pair) * Int(MK_BLOCK) + local % Int(MK_BLOCK)] =
          codes[2 * pair * count + row] | codes[(2 * pair + 1) * count + row] << 4
      }
    }
  }
}
