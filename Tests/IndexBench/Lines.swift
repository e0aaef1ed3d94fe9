import Glibc

/// Writes a line at once, unbuffered: whoever drives this waits for it.
func put(_ line: String, to descriptor: Int32 = STDOUT_FILENO) {
  var bytes = Array((line + "\n").utf8)[...]
  while !bytes.isEmpty {
    let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    guard written > 0 else { return }
    bytes = bytes.dropFirst(written)
  }
}
