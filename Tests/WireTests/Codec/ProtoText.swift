/// Raw protobuf, written by hand: what no encoder of ours would send.
func raw(_ parts: [UInt8]...) -> [UInt8] { parts.flatMap { $0 } }

/// A delimited field with a number below 16 and fewer than 128 bytes.
func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
  [number << 3 | 2, UInt8(content.count)] + content
}

func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

/// A varint field with a number below 16 and a value below 128.
func field(_ number: UInt8, _ value: UInt8) -> [UInt8] { [number << 3, value] }
