package import Base
internal import CMessages

/// `Signed`, alone and inside other messages. Whether the signature is good is not asked here.
package enum SignedCodec {
  private static let request = MessageShape.request(marquee__v1__signed__init, fieldCountMax: 64)

  package static func decode(_ bytes: [UInt8]) throws(Fault) -> SignedBytes {
    try request.decode(bytes, read)
  }

  package static func encode(_ signed: SignedBytes) -> [UInt8] {
    var writer = ProtoWriter(capacity: signed.payload.count + 128)
    write(signed, to: &writer)
    return writer.bytes
  }

  static func read(_ message: Marquee__V1__Signed) throws(Fault) -> SignedBytes {
    SignedBytes(
      payload: try Field.bytes(message.payload, "payload", max: Limits.manifestByteCountMax),
      signature: try Field.bytes(message.signature, "signature", max: CodecLimits.signatureByteCountMax),
      keyID: try Field.text(message.key_id, "key_id"))
  }

  static func write(_ signed: SignedBytes, to writer: inout ProtoWriter) {
    writer.data(1, signed.payload)
    writer.data(2, signed.signature)
    writer.text(3, signed.keyID)
  }
}
