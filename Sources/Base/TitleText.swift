/// A title's id and name where they lie in memory: most are only passed on, and strings made of them would be allocated,
/// counted and freed for it.
///
/// Guard for `@unchecked Sendable`: the bytes never change, and whoever holds this holds what owns them, too: the row's
/// `memory`. They are UTF-8.
package struct TitleText: @unchecked Sendable, Equatable {
  package let id: UnsafeRawBufferPointer
  package let name: UnsafeRawBufferPointer

  @inline(__always)
  package init(id: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer) {
    self.id = id
    self.name = name
  }

  package static func == (one: TitleText, two: TitleText) -> Bool {
    one.id.elementsEqual(two.id) && one.name.elementsEqual(two.name)
  }
}

/// The texts of a row's titles, copied: where no snapshot holds them.
///
/// Guard for `@unchecked Sendable`: written by its initialiser alone.
package final class TitleTexts: @unchecked Sendable {
  private let bytes: UnsafeMutableRawBufferPointer
  /// In the order in which they were given.
  package let texts: [TitleText]

  package init(_ sources: [TitleText]) {
    let byteCount = sources.reduce(0) { $0 + $1.id.count + $1.name.count }
    bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    var rest = bytes[...]
    func copy(_ source: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
      let target = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(source.count))
      target.copyMemory(from: source)
      rest = rest.dropFirst(source.count)
      return UnsafeRawBufferPointer(target)
    }
    texts = sources.map { TitleText(id: copy($0.id), name: copy($0.name)) }
  }

  package convenience init(_ titles: [(id: String, name: String)]) {
    let all = UnsafeMutableRawBufferPointer.allocate(
      byteCount: titles.reduce(0) { $0 + $1.id.utf8.count + $1.name.utf8.count }, alignment: 1)
    defer { all.deallocate() }
    var rest = all[...]
    func put(_ text: String) -> UnsafeRawBufferPointer {
      let target = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(text.utf8.count))
      target.copyBytes(from: text.utf8)
      rest = rest.dropFirst(text.utf8.count)
      return UnsafeRawBufferPointer(target)
    }
    self.init(titles.map { TitleText(id: put($0.id), name: put($0.name)) })
  }

  deinit { bytes.deallocate() }
}
