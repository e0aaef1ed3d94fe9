internal import Base
internal import CKernels

/// Writes an index segment: see ``VectorIndex`` for its sections.
struct IndexWriter {
  var lists: EncodedLists
  var titles: EncodedTitles
  var curve: RecallCurve
  var count: Int

  func write(dimensions: Int, to path: String, progress: (Double) -> Void) throws(DiskFault) {
    let writer = try SegmentWriter(
      path: path, kind: VectorIndex.kind, formatVersion: VectorIndex.formatVersion)
    let head = [
      dimensions, lists.head, VectorIndex.rowStride(dimensions: dimensions), count, lists.centroids.count,
      Int(titles.offsets[lists.centroids.count]),
    ].map { UInt32($0) }
    try writer.add("HEAD", head + [UInt32](repeating: 0, count: 16 - head.count))
    try writer.add("AXES", lists.rotation.panels)
    try writer.add("STEP", lists.steps)
    try writer.add("CENT", lists.centroids.values)
    try writer.add("CCOD", lists.codes)
    try writer.add("RADI", lists.radii)
    try writer.add("SIZE", titles.sizes)
    try writer.add("OFFS", titles.offsets)
    try writer.add("ORDN", titles.ordinals)
    try writer.begin("CODE", elementByteCount: 1)
    try writer.append(UnsafeRawBufferPointer(titles.codes))
    progress(0.2)
    try writer.begin("ROWS", elementByteCount: 1)
    try writer.append(UnsafeRawBufferPointer(titles.rows))
    try writer.add("CURV", curve.points.flatMap(\.fields))
    try writer.add("GOAL", [curve.target])
    try writer.finish()
    progress(1)
  }

  /// What is to be written, as a search sees it.
  func withTables<Result>(dimensions: Int, _ body: (IndexTables) -> Result) -> Result {
    let parts = Array(titles.ordinals.isEmpty ? [0] : titles.ordinals)
    return lists.rotation.panels.withUnsafeBufferPointer { panels in
      lists.steps.withUnsafeBufferPointer { steps in
        lists.codes.withUnsafeBufferPointer { codes in
          lists.radii.withUnsafeBufferPointer { radii in
            titles.offsets.withUnsafeBufferPointer { offsets in
              titles.sizes.withUnsafeBufferPointer { sizes in
                parts.withUnsafeBufferPointer { ordinals in
                  guard let panels = panels.baseAddress, let steps = steps.baseAddress,
                    let centroids = codes.baseAddress, let radii = radii.baseAddress,
                    let offsets = offsets.baseAddress, let sizes = sizes.baseAddress,
                    let ordinals = ordinals.baseAddress, let code = titles.codes.baseAddress,
                    let row = titles.rows.baseAddress
                  else { preconditionFailure("an index has a list") }
                  return body(
                    IndexTables(
                      dimensions: dimensions, head: lists.head,
                      rowStride: VectorIndex.rowStride(dimensions: dimensions), count: count,
                      listCount: lists.centroids.count,
                      groupCount: Int(titles.offsets[lists.centroids.count]),
                      rotation: panels, steps: steps, centroids: centroids, offsets: offsets, sizes: sizes,
                      radii: radii, codes: UnsafePointer(code.assumingMemoryBound(to: UInt8.self)),
                      rows: UnsafePointer(row.assumingMemoryBound(to: UInt8.self)), ordinals: ordinals))
                }
              }
            }
          }
        }
      }
    }
  }
}
