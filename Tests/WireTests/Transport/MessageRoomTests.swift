import Testing

@testable import Wire

@Suite struct MessageRoomTests {
  @Test("a message written into room that was used before is that message alone")
  func reuse() {
    for round in 0..<300 {
      let count = round % 7
      let message = WireMessage(byteCountMax: 2000) { room in
        for index in 0..<count { room[index] = UInt8(round & 0xff) }
        return count
      }
      #expect(message.bytes == [UInt8](repeating: UInt8(round & 0xff), count: count))
      #expect(message == WireMessage(message.bytes))
      let body = OutboundBody(hasTrailers: true, reportsReads: false)
      body.append(message)
      var left = [UInt8](repeating: 0, count: 200)
      let leftCount = left.withUnsafeMutableBytes { body.read(into: $0) }
      #expect(Array(left[..<leftCount]) == framed(message.bytes))
    }
  }

  @Test("a message that is still held elsewhere keeps its bytes when its room is used again")
  func shared() {
    let first = WireMessage(byteCountMax: 2000) { room in
      room[0] = 1
      return 1
    }
    let body = OutboundBody(hasTrailers: true, reportsReads: false)
    body.append(first)
    var left = [UInt8](repeating: 0, count: 16)
    _ = left.withUnsafeMutableBytes { body.read(into: $0) }
    let second = WireMessage(byteCountMax: 2000) { room in
      room[0] = 2
      return 1
    }
    #expect(first.bytes == [1] && second.bytes == [2])
  }

  @Test("messages that wait hold no more than their bytes, and leave as they were written")
  func fitting() {
    let body = OutboundBody(hasTrailers: true, reportsReads: false)
    let messages = (1...3).map { number in
      WireMessage(byteCountMax: 2000) { room in
        room.update(repeating: UInt8(number))
        return 1500
      }
    }
    for message in messages { body.append(message) }
    let expected = messages.flatMap { framed($0.bytes) }
    var left = [UInt8](repeating: 0, count: 4 << 10)
    var count = left.withUnsafeMutableBytes {
      body.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<700]))
    }
    #expect(body.storedCount == 3 * MessageRoom.byteCount)
    body.fit()
    #expect(body.storedCount == 3 * 1500)
    // The rooms are for others now.
    _ = WireMessage(byteCountMax: 2000) { room in
      room.update(repeating: 9)
      return 2000
    }
    count += left.withUnsafeMutableBytes {
      body.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[count...]))
    }
    #expect(count == left.count && left == Array(expected[..<count]))
    #expect(body.storedCount == 1500)
  }

  @Test("a small message holds no more than it may take")
  func small() {
    let message = WireMessage(byteCountMax: 100) { room in
      room[0] = 1
      return 1
    }
    #expect(message.bytes == [1] && message.storage.count == 100)
  }

  @Test("what is larger than the room has memory of its own")
  func large() {
    let message = WireMessage(byteCountMax: MessageRoom.byteCount + 1) { room in
      room.update(repeating: 3)
      return room.count
    }
    #expect(message.bytes == [UInt8](repeating: 3, count: MessageRoom.byteCount + 1))
  }
}
