import Base
import Testing

@Suite("Digest")
struct DigestTests {
  @Test("SHA-256 of the empty string and of abc are those of FIPS 180-4")
  func knownAnswers() {
    #expect(Digest(of: []).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      Digest(of: Array("abc".utf8)).hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test("bytes in pieces have the digest of the whole")
  func pieces() {
    var stream = DigestStream()
    for piece in ["a", "b", "c"] { Array(piece.utf8).withUnsafeBytes { stream.update($0) } }
    #expect(stream.finish() == Digest(of: Array("abc".utf8)))
  }

  @Test("hexadecimal of odd length or with another letter is not a digest")
  func badHex() {
    #expect(Digest(hex: "abc") == nil)
    #expect(Digest(hex: String(repeating: "g", count: 64)) == nil)
    #expect([UInt8](hex: "0aFf") == [0x0a, 0xff])
  }
}

@Suite("Signing")
struct SigningTests {
  @Test("the first test vector of RFC 8032 signs and verifies")
  func knownAnswer() throws {
    let seed = try #require(
      [UInt8](hex: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    let key = try #require(PrivateKey(seed: seed))
    #expect(key.publicKey.hex == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    let signature = key.sign([])
    #expect(signature.hex.hasPrefix("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"))
    #expect(key.publicKey.verify(signature: signature, of: []))
  }

  @Test("one bit changed in the message or the signature does not verify")
  func changedBit() {
    let key = PrivateKey.generate()
    let message = Array("a manifest".utf8)
    var signature = key.sign(message)
    #expect(!key.publicKey.verify(signature: signature, of: message + [0]))
    signature[3] ^= 1
    #expect(!key.publicKey.verify(signature: signature, of: message))
    #expect(!key.publicKey.verify(signature: [], of: message))
  }
}
