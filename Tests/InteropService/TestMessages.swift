package import Base

// The messages of grpc.testing, as far as the cases use them: see Tests/InteropProtos for all of their fields.

/// `BoolValue`: a flag that may be absent.
package struct BoolValue: TestMessage {
  package var value = false

  package init() {}
  package init(_ value: Bool) { self.value = value }

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    if field == 1 { self.value = value.flag ?? self.value }
  }

  package func write(to writer: inout FieldWriter) { writer.flag(1, value) }
}

/// `Payload`: bytes of a type, of which there is one.
package struct Payload: TestMessage {
  package var body: [UInt8] = []

  package init() {}
  package init(zeros count: Int) { body = [UInt8](repeating: 0, count: count) }

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    if field == 2 { body = value.data ?? body }
  }

  package func write(to writer: inout FieldWriter) { writer.data(2, body) }
}

/// `EchoStatus`: the status that a call is to end with.
package struct EchoStatus: TestMessage {
  package var code: Int32 = 0
  package var message = ""

  package init() {}
  package init(_ code: Int32, _ message: String) {
    self.code = code
    self.message = message
  }

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    switch field {
    case 1: code = value.int32 ?? code
    case 2: message = try value.text() ?? message
    default: break
    }
  }

  package func write(to writer: inout FieldWriter) {
    writer.number(1, code)
    writer.text(2, message)
  }
}

package struct SimpleRequest: TestMessage {
  package var responseSize: Int32 = 0
  package var payload: Payload?
  package var fillUsername = false
  package var responseCompressed: BoolValue?
  package var responseStatus: EchoStatus?
  package var expectCompressed: BoolValue?
  package var fillServerID = false
  package var orcaPerQueryReport: TestOrcaReport?

  package init() {}

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    switch field {
    case 2: responseSize = value.int32 ?? responseSize
    case 3: payload = try value.message()
    case 4: fillUsername = value.flag ?? fillUsername
    case 6: responseCompressed = try value.message()
    case 7: responseStatus = try value.message()
    case 8: expectCompressed = try value.message()
    case 9: fillServerID = value.flag ?? fillServerID
    case 11: orcaPerQueryReport = try value.message()
    default: break
    }
  }

  package func write(to writer: inout FieldWriter) {
    writer.number(2, responseSize)
    writer.message(3, payload)
    writer.flag(4, fillUsername)
    writer.message(6, responseCompressed)
    writer.message(7, responseStatus)
    writer.message(8, expectCompressed)
    writer.flag(9, fillServerID)
    writer.message(11, orcaPerQueryReport)
  }
}

package struct SimpleResponse: TestMessage {
  package var payload: Payload?
  package var username = ""
  package var serverID = ""
  package var hostname = ""

  package init() {}

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    switch field {
    case 1: payload = try value.message()
    case 2: username = try value.text() ?? username
    case 4: serverID = try value.text() ?? serverID
    case 6: hostname = try value.text() ?? hostname
    default: break
    }
  }

  package func write(to writer: inout FieldWriter) {
    writer.message(1, payload)
    writer.text(2, username)
    writer.text(4, serverID)
    writer.text(6, hostname)
  }
}
