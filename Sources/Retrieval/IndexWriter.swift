internal import Base
internal import CKernels

/// Writes an index segment: see ``VectorIndex`` for its sections.
struct IndexWriter {
  var head: IndexHead
  var centroids: Centroids
  var lists: Lists
  /// `nil` for a tail, of whose lists they are.
  var coding: Coding?
  var threads: Int

  struct Coding {
    var books: CodeBooks
    var blocks: ListBlocks
  }

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
    let coded = try writeRows(source, steps: steps, step: step, to: writer, progress: progress)
    if let coding {
      let turn = coding.books.turn
      try writer.add("CENT", centroids.values)
      try writeCentroids(to: writer)
      try writer.add("SPRD", coded.spreads(lists.offsets.map { Int($0) }))
      try writer.add("TURN", turn.rows)
      try writer.add("WIDE", turn.widths)
      try writer.add("BOOK", coding.books.book)
      try writer.add("CODE", coded.codes)
      try writer.add("BMID", coding.blocks.sectionRows)
      try writer.add("BSPR", coded.blockSpreads(lists))
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

  /// Writes the rows list by list, and returns what else of them a base has.
  private func writeRows(
    _ source: some VectorSource, steps: RowSteps, step: [UInt8], to writer: SegmentWriter,
    progress: (Double) -> Void
  ) throws -> CodedTitles {
    let (stride, dimensions) = (head.rowStride, head.dimensions)
    let vectors = ListVectors(source: source, lists: lists, centroids: centroids)
    var titles = CodedTitles(lists, pairCount: head.pairCount)
    var rows = [UInt8](repeating: 0, count: min(Self.chunkCount, lists.ordinals.count) * stride)
    try writer.begin("ROWS", elementByteCount: 1)
    for begin in Swift.stride(from: 0, to: lists.ordinals.count, by: Self.chunkCount) {
      let end = min(lists.ordinals.count, begin + Self.chunkCount)
      rows.withUnsafeMutableBufferPointer { rows in
        titles.withRooms { rooms in
          forEachBlock(of: end - begin, blockCount: 256, threads: threads) { range, _ in
            let places = begin + range.lowerBound..<begin + range.upperBound
            withUnsafeTemporaryAllocation(of: Float.self, capacity: range.count * dimensions) { buffer in
              guard let start = buffer.baseAddress, let bytes = rows.baseAddress else { return }
              vectors.copy(places, into: start)
              for (row, place) in places.enumerated() {
                mk_quantise_by(
                  start + row * dimensions, dimensions, stride, steps.values[Int(step[place])],
                  bytes + (range.lowerBound + row) * stride)
              }
              guard let coding else { return }
              vectors.subtractCentroids(from: start, of: places)
              rooms.put(start, of: places, lists: lists, coding: coding)
            }
          }
        }
      }
      if end - begin < Self.chunkCount { rows.removeLast(rows.count - (end - begin) * stride) }
      try writer.append(rows)
      progress(Double(end) / Double(lists.ordinals.count) * 0.99)
    }
    return titles
  }
}

/// Codes of all titles, and how far they lie from their centroids and from the middles of their blocks.
private struct CodedTitles {
  let pairCount: Int
  private let firstBlocks: [UInt32]
  private(set) var codes: [UInt8]
  /// Squared distances, of places: none where there are no codes.
  private var squares: [Float]
  private var blockSquares: [Float]

  init(_ lists: Lists, pairCount: Int) {
    self.pairCount = pairCount
    firstBlocks = lists.firstBlocks
    codes = [UInt8](repeating: 0, count: Int(firstBlocks.last ?? 0) * Int(MK_BLOCK) * pairCount)
    squares = [Float](repeating: 0, count: pairCount > 0 ? lists.ordinals.count : 0)
    blockSquares = squares
  }

  /// Of each list, between its offsets.
  func spreads(_ offsets: [Int]) -> [Float] {
    zip(offsets, offsets.dropFirst()).map { Self.spread(squares[$0..<$1]) }
  }

  /// Of each block.
  func blockSpreads(_ lists: Lists) -> [Float] {
    zip(lists.offsets, lists.offsets.dropFirst()).flatMap { begin, end in
      stride(from: Int(begin), to: Int(end), by: Int(MK_BLOCK)).map {
        Self.spread(blockSquares[$0..<min($0 + Int(MK_BLOCK), Int(end))])
      }
    }
  }

  /// The root of the mean.
  private static func spread(_ squares: ArraySlice<Float>) -> Float {
    max(0, squares.reduce(0, +) / Float(max(1, squares.count))).squareRoot()
  }

  /// Where threads put what belongs to their places.
  struct Rooms {
    let pairCount: Int
    let codes: UnsafeMutableBufferPointer<UInt8>
    let squares: UnsafeMutableBufferPointer<Float>
    let blockSquares: UnsafeMutableBufferPointer<Float>

    /// `residuals` are rows, and are turned here.
    func put(
      _ residuals: UnsafePointer<Float>, of places: Range<Int>, lists: Lists, coding: IndexWriter.Coding
    ) {
      let turn = coding.books.turn
      let (dimensions, width, count) = (turn.dimensions, turn.count, places.count)
      withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, count * width)) { turned in
        guard let turned = turned.baseAddress else { return }
        turn.turn(residuals, rowCount: count, into: turned)
        var list = lists.list(of: places.lowerBound)
        var blocks: [Int] = []
        for (row, place) in places.enumerated() {
          while place >= Int(lists.offsets[list + 1]) { list += 1 }
          blocks.append(
            coding.blocks.block(of: place, in: list) * Int(MK_BLOCK)
              + (place - Int(lists.offsets[list])) % Int(MK_BLOCK))
          var square: Float = 0
          for at in row * dimensions..<(row + 1) * dimensions { square += residuals[at] * residuals[at] }
          squares[place] = square
          blockSquares[place] =
            square
            - coding.blocks.subtractMiddle(
              blocks[row] / Int(MK_BLOCK), from: turned + row * width, width: width)
        }
        let coded = coding.books.encode(turned, count: count)
        for (row, lane) in blocks.enumerated() {
          let block = lane / Int(MK_BLOCK) * pairCount
          for pair in 0..<pairCount {
            codes[(block + pair) * Int(MK_BLOCK) + lane % Int(MK_BLOCK)] =
              coded[2 * pair * count + row] | coded[(2 * pair + 1) * count + row] << 4
          }
        }
      }
    }
  }

  mutating func withRooms(_ body: (Rooms) -> Void) {
    codes.withUnsafeMutableBufferPointer { codes in
      squares.withUnsafeMutableBufferPointer { squares in
        blockSquares.withUnsafeMutableBufferPointer { blockSquares in
          body(Rooms(pairCount: pairCount, codes: codes, squares: squares, blockSquares: blockSquares))
        }
      }
    }
  }
}
