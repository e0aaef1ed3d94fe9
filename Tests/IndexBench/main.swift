import Base
import Glibc
import Retrieval

// What Scripts/bench retrieval drives: builds an index from a .npy file, and answers queries from one, timing each.
//
//   index-bench build BASE.npy OUT [--tune QUERIES.npy] [--threads N] [--seed N] [--head N] [--lists N]
//   index-bench serve OUT QUERIES.npy
//
// `build` leaves OUT.index and OUT.vectors. `serve` reads orders, one a line, and answers each with a line:
//   search K EFFORT RESULTS [FILTER]   EFFORT: a recall like 0.95, or YIELD:RESCORE; RESULTS: where to put ordinals
//                                      (int32, K a query); FILTER: a file of 64-bit words
// The answer has the microseconds of each query. On a core of its own it is as fast as its process can be.

do {
  let arguments = Array(CommandLine.arguments.dropFirst())
  switch arguments.first {
  case "build": try BuildOrder(Array(arguments.dropFirst())).run()
  case "serve": try Service(Array(arguments.dropFirst())).run()
  default: throw Fault(.invalidArgument, "index-bench build|serve: see the head of its main.swift")
  }
} catch {
  put("index-bench: \(error)", to: STDERR_FILENO)
  exit(1)
}
