internal import Base
internal import CKernels

/// What an index segment's head says, within limits.
struct Shape {
  var dimensions: Int
  var head: Int
  var rowStride: Int
  var count: Int
  var listCount: Int
  var groupCount: Int

  init(head words: UnsafeBufferPointer<UInt32>, at place: String) throws(Refusal) {
    dimensions = Int(words[0])
    head = Int(words[1])
    rowStride = Int(words[2])
    count = Int(words[3])
    listCount = Int(words[4])
    groupCount = Int(words[5])
    guard (1...Limits.dimensionsMax).contains(dimensions), count <= Limits.titleCountMax,
      listCount <= VectorIndex.listCountMax
    else {
      throw Refusal(
        .limitExceeded, at: place, "has \(dimensions) dimensions, \(count) titles, \(listCount) lists")
    }
    guard rowStride == VectorIndex.rowStride(dimensions: dimensions), head > 0,
      head == VectorIndex.headCount(head, dimensions: dimensions)
    else {
      throw Refusal(
        .unreadable, at: place,
        "has codes of \(head) and rows of \(rowStride) bytes for \(dimensions) dimensions")
    }
    // Every group has a title: so many lists can waste.
    guard listCount > 0, groupCount <= count, groupCount * Int(MK_GROUP) >= count else {
      throw Refusal(
        .unreadable, at: place, "has \(listCount) lists and \(groupCount) groups for \(count) titles")
    }
  }
}

/// The bounds of an index segment's sections; each refusal names its place.
struct SegmentCheck {
  let name: String

  func positive(_ values: UnsafeBufferPointer<Float>, _ section: String) throws(Refusal) {
    var good = true
    for value in values where !(value >= 0 && value < .infinity) { good = false }
    guard good else {
      throw Refusal(
        .unreadable, at: "\(name) section \(section)", "has a value that is no finite positive number")
    }
  }

  func finite(_ values: UnsafeBufferPointer<Float>, _ section: String) throws(Refusal) {
    var good = true
    for value in values where !(abs(value) < .infinity) { good = false }
    guard good else {
      throw Refusal(.unreadable, at: "\(name) section \(section)", "has a value that is not finite")
    }
  }

  /// Lists follow one another, each in as many groups as its titles need.
  func lists(
    sizes: UnsafeBufferPointer<UInt32>, offsets: UnsafeBufferPointer<UInt32>, shape: Shape
  ) throws(Refusal) {
    var (group, count) = (0, 0)
    for list in 0..<shape.listCount {
      guard Int(offsets[list]) == group else {
        throw Refusal(
          .unreadable, at: "\(name) section OFFS list \(list)",
          "begins at group \(offsets[list]), not \(group)")
      }
      group += (Int(sizes[list]) + Int(MK_GROUP) - 1) / Int(MK_GROUP)
      count += Int(sizes[list])
    }
    guard Int(offsets[shape.listCount]) == group, group == shape.groupCount else {
      throw Refusal(
        .unreadable, at: "\(name) section OFFS", "ends at group \(offsets[shape.listCount]), not \(group)")
    }
    guard count == shape.count else {
      throw Refusal(.unreadable, at: "\(name) section SIZE", "has \(count) titles, not \(shape.count)")
    }
  }

  /// Each ordinal must be there once: a search would return a title twice, or never.
  func ordinals(
    _ ordinals: UnsafeBufferPointer<UInt32>, sizes: UnsafeBufferPointer<UInt32>,
    offsets: UnsafeBufferPointer<UInt32>, count: Int
  ) throws(Refusal) {
    var seen = [UInt64](repeating: 0, count: (count + 63) / 64)
    let bad: Int? = seen.withUnsafeMutableBufferPointer { seen in
      for list in 0..<sizes.count {
        let first = Int(offsets[list]) * Int(MK_GROUP)
        for slot in first..<first + Int(sizes[list]) {
          let ordinal = Int(ordinals[slot])
          guard ordinal < count, seen[ordinal >> 6] >> UInt64(ordinal & 63) & 1 == 0 else { return slot }
          seen[ordinal >> 6] |= 1 << UInt64(ordinal & 63)
        }
      }
      return nil
    }
    if let bad {
      throw Refusal(
        .unreadable, at: "\(name) section ORDN slot \(bad)",
        "ordinal \(ordinals[bad]) of \(count) is out of bounds or there twice")
    }
  }

  func curve(
    _ fields: UnsafeBufferPointer<Float>, goal: UnsafeBufferPointer<Float>
  ) throws(Refusal) -> RecallCurve {
    let width = RecallPoint.fieldCount
    guard fields.count % width == 0, fields.count <= 64 * width else {
      throw Refusal(.unreadable, at: "\(name) section CURV", "has \(fields.count) numbers")
    }
    var points: [RecallPoint] = []
    for begin in stride(from: 0, to: fields.count, by: width) {
      guard let point = RecallPoint(fields: fields[begin..<begin + width]) else {
        throw Refusal(
          .unreadable, at: "\(name) section CURV point \(begin / width)", "is none that a search can work by")
      }
      points.append(point)
    }
    guard goal[0] >= 0, goal[0] <= 1 else {
      throw Refusal(.unreadable, at: "\(name) section GOAL", "is no recall")
    }
    return RecallCurve(points: points, target: goal[0])
  }
}
