// swift-tools-version: 6.2
import PackageDescription

// One target a room. Scripts/check holds the arrows between them to what is written here and to what the
// sources import; docs/rooms.md says what each room is for.

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

func door(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ room: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(room)Tests", dependencies: [.byName(name: room)] + dependencies, swiftSettings: strict)
}

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "marquee",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "marquee", targets: ["marquee"]),
    .library(name: "MarqueeClient", targets: ["MarqueeClient"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    door("CNGHTTP2", pkgConfig: "libnghttp2", apt: "libnghttp2-dev"),
    door("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
    door("CProtobufC", pkgConfig: "libprotobuf-c", apt: "libprotobuf-c-dev"),
    door("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
    .target(name: "CMessages", dependencies: ["CProtobufC"]),
    .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3"])]),
    room("Base", ["COpenSSL"]),
    room(
      "Wire", ["Base", "CNGHTTP2", "COpenSSL", "CMessages", "CProtobufC", "CZlib", nioCore, nioPosix]),
    room("Snapshots", ["Base"]),
    room("Catalogue", ["Base"]),
    room("Features", ["Base"]),
    room("Embedding", ["Base", "Catalogue", "CKernels"]),
    room("Retrieval", ["Base", "CKernels"]),
    room("Ranking", ["Base", "CKernels", "CMessages", "CProtobufC"]),
    room("Serving", ["Base", "Snapshots", "Catalogue", "Features", "Retrieval", "Ranking"]),
    room(
      "Control",
      ["Base", "Snapshots", "Catalogue", "Embedding", "Features", "Retrieval", "Ranking", grdb, yams]),
    room("MarqueeClient", ["Base", "Wire"]),
    .executableTarget(
      name: "marquee",
      dependencies: [
        "Base", "Wire", "Snapshots", "Catalogue", "Features", "Embedding", "Retrieval", "Ranking", "Serving",
        "Control", "MarqueeClient", argumentParser, histogram, yams, nioCore, nioPosix,
      ], swiftSettings: strict),
    // gRPC's standard interop service, and the server that its clients are pointed at.
    .target(
      name: "InteropService", dependencies: ["Base", "Wire"], path: "Tests/InteropService",
      swiftSettings: strict),
    .executableTarget(
      name: "interop-server", dependencies: ["Base", "Wire", "InteropService", argumentParser],
      path: "Tests/InteropServer", swiftSettings: strict),
    .executableTarget(
      name: "rpc-bench-server", dependencies: ["Base", "Wire", "CMessages", "CProtobufC", nioPosix],
      path: "Tests/RPCBenchServer", swiftSettings: strict),
    // Scripts/bench ranker measures rankers alone with it.
    .executableTarget(
      name: "ranker-bench", dependencies: ["Base", "Ranking"], path: "Tests/RankerBench",
      swiftSettings: strict),
    // Scripts/bench retrieval measures the index alone with it.
    .executableTarget(
      name: "index-bench", dependencies: ["Base", "CKernels", "Retrieval"], path: "Tests/IndexBench",
      swiftSettings: strict),
    tests("Base"),
    tests("Wire", ["Base", "CMessages", "InteropService", nioCore, nioPosix, nioEmbedded]),
    tests("Snapshots", ["Base"]),
    tests("Catalogue", ["Base"]),
    tests("Features", ["Base"]),
    tests("Embedding", ["Base", "Catalogue"]),
    tests("Retrieval", ["Base", "CKernels"]),
    tests("Ranking", ["Base", "CKernels"]),
    tests("Serving", ["Base", "Snapshots", "Catalogue", "Features", "Retrieval", "Ranking"]),
    tests("Control", ["Base", "Snapshots", "Catalogue"]),
    tests("MarqueeClient", ["Base", "Wire"]),
  ]
)

// Scripts/fuzz sets this to libFuzzer's library, and builds in a folder of its own: the fuzz targets want rooms that tell
// libFuzzer which ways were taken, and that AddressSanitizer watches.
if let libFuzzer = Context.environment["MARQUEE_LIBFUZZER"] {
  // What `-sanitize=fuzzer` stands for, but for the callback at each comparison: an eighth of the time, and most of the
  // comparisons are Swift's own, of tags and counts.
  let instrumented = SwiftSetting.unsafeFlags([
    "-sanitize=address", "-sanitize-coverage=edge,indirect-calls", "-Xllvm",
    "-sanitizer-coverage-inline-8bit-counters=1", "-Xllvm", "-sanitizer-coverage-pc-table=1",
  ])
  for target in package.targets where ["Base", "Wire", "Ranking", "Retrieval"].contains(target.name) {
    target.swiftSettings?.append(instrumented)
  }
  for target in package.targets where ["CMessages", "CKernels"].contains(target.name) {
    target.cSettings = (target.cSettings ?? []) + [.unsafeFlags(["-fsanitize=address"])]
  }
  package.targets.append(
    .executableTarget(
      name: "fuzz", dependencies: ["Base", "Wire", "Ranking", "Retrieval", "CKernels", nioCore],
      path: "Tests/Fuzz",
      exclude: ["corpus", "words"], swiftSettings: strict + [.unsafeFlags(["-sanitize=address"])],
      linkerSettings: [.unsafeFlags([libFuzzer, "-sanitize=address"]), .linkedLibrary("stdc++")]))
}
