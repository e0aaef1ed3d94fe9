package import Base

package struct StreamingInputCallRequest: TestMessage {
  package var payload: Payload?
  package var expectCompressed: BoolValue?

  package init() {}

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    switch field {
    case 1: payload = try value.message()
    case 2: expectCompressed = try value.message()
    default: break
    }
  }

  package func write(to writer: inout FieldWriter) {
    writer.message(1, payload)
    writer.message(2, expectCompressed)
  }
}

package struct StreamingInputCallResponse: TestMessage {
  package var aggregatedPayloadSize: Int32 = 0

  package init() {}

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    if field == 1 { aggregatedPayloadSize = value.int32 ?? aggregatedPayloadSize }
  }

  package func write(to writer: inout FieldWriter) { writer.number(1, aggregatedPayloadSize) }
}

/// `ResponseParameters`: one response that a streaming call is to send.
package struct ResponseParameters: TestMessage {
  package var size: Int32 = 0
  package var intervalMicroseconds: Int32 = 0
  package var compressed: BoolValue?

  package init() {}
  package init(size: Int32, intervalMicroseconds: Int32 = 0, compressed: Bool? = nil) {
    self.size = size
    self.intervalMicroseconds = intervalMicroseconds
    self.compressed = compressed.map { BoolValue($0) }
  }

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    switch field {
    case 1: size = value.int32 ?? size
    case 2: intervalMicroseconds = value.int32 ?? intervalMicroseconds
    case 3: compressed = try value.message()
    default: break
    }
  }

  package func write(to writer: inout FieldWriter) {
    writer.number(1, size)
    writer.number(2, intervalMicroseconds)
    writer.message(3, compressed)
  }
}

package struct StreamingOutputCallRequest: TestMessage {
  package var responseParameters: [ResponseParameters] = []
  package var payload: Payload?
  package var responseStatus: EchoStatus?
  package var orcaOOBReport: TestOrcaReport?

  package init() {}

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    switch field {
    case 2:
      if let parameters: ResponseParameters = try value.message() { responseParameters.append(parameters) }
    case 3: payload = try value.message()
    case 7: responseStatus = try value.message()
    case 8: orcaOOBReport = try value.message()
    default: break
    }
  }

  package func write(to writer: inout FieldWriter) {
    for parameters in responseParameters { writer.message(2, parameters) }
    writer.message(3, payload)
    writer.message(7, responseStatus)
    writer.message(8, orcaOOBReport)
  }
}

package struct StreamingOutputCallResponse: TestMessage {
  package var payload: Payload?

  package init() {}

  package mutating func take(_ field: UInt64, _ value: FieldReader.Value) throws(Fault) {
    if field == 1 { payload = try value.message() }
  }

  package func write(to writer: inout FieldWriter) { writer.message(1, payload) }
}
