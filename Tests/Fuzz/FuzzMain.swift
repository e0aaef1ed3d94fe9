import Glibc

typealias FuzzBody = @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32

/// libFuzzer's own loop; it never returns when it runs.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>, _ body: FuzzBody
) -> Int32

/// `fuzz NAME [libFuzzer's options]`, or `fuzz --list`. Scripts/fuzz builds and calls it.
@main struct FuzzMain {
  static func main() {
    let names = CommandLine.arguments.dropFirst()
    if names.first == "--list" {
      for target in FuzzTarget.all { print("\(target.name)\t\(target.about)\t\(target.length)") }
      return
    }
    guard let target = FuzzTarget.all.first(where: { $0.name == names.first }) else {
      say("fuzz NAME [options], with a NAME of fuzz --list")
      exit(2)
    }
    FuzzTarget.current = target
    FuzzTasks.take()
    atexit {
      unlink(ModelRows.path)
      say("slowest input: \(FuzzTime.slowestMicroseconds) us of processor time")
    }
    // libFuzzer sees the arguments without the target's name.
    var count = CommandLine.argc - 1
    var arguments = CommandLine.unsafeArgv + 1
    arguments.pointee = CommandLine.unsafeArgv.pointee
    exit(
      runFuzzer(&count, &arguments) { start, count in
        let input = Array(UnsafeBufferPointer(start: start, count: count))
        FuzzTime.measure { FuzzTarget.current.body(input) }
        return 0
      })
  }
}
