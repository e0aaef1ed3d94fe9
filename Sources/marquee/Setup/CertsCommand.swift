import ArgumentParser
import Base
import Foundation
import Wire

extension Role: ExpressibleByArgument {}

/// `marquee certs`: a development authority, and certificates by role.
struct CertsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "certs", abstract: "Make a development authority and certificates by role.",
    subcommands: [Development.self, Authority.self, Issue.self])

  struct Development: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "An authority and one certificate for each role, in one directory.",
      discussion: "Whoever can read the directory can be anybody: for development, not for production.")

    @Option(help: "The directory.", completion: .directory) var out: String
    @Option(help: "The trust domain of the SPIFFE URIs.") var trustDomain = "marquee.test"
    @Option(help: "How long the certificates are good.") var days = 90
    @Option(help: "Hosts and addresses beside loopback, for the servers' certificates.") var host: [String] =
      []
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let authority = try DevelopmentAuthority.create(in: out, trustDomain: trustDomain)
      let issued = try Role.allCases.map {
        try authority.issue(role: $0, name: $0.rawValue, hosts: host, into: out, days: days)
      }
      try output.show(issued.map(IssuedReport.init)) {
        issued.map { "\($0.certificateChain)  \($0.privateKey)" }.joined(separator: "\n")
      }
    }
  }

  struct Authority: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "An authority: authority.pem and authority.key.")

    @Option(help: "The directory.", completion: .directory) var out: String
    @Option(help: "The trust domain of the SPIFFE URIs.") var trustDomain = "marquee.test"
    @Option(help: "How long it is good.") var days = 365

    func run() async throws {
      _ = try DevelopmentAuthority.create(in: out, trustDomain: trustDomain, days: days)
      print("\(out)/authority.pem, for spiffe://\(trustDomain)")
    }
  }

  struct Issue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "A certificate for spiffe://TRUST-DOMAIN/ROLE/NAME: NAME.pem and NAME.key.")

    @Option(help: "The authority's directory.", completion: .directory) var authority: String
    @Option(help: "edge-client, edge, control or ops.") var role: Role
    @Option(help: "Who it is for.") var name: String
    @Option(help: "Hosts and addresses beside loopback.") var host: [String] = []
    @Option(help: "Where the files go.", completion: .directory) var out: String
    @Option(help: "How long it is good.") var days = 90
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let issued = try DevelopmentAuthority.open(authority).issue(
        role: role, name: name, hosts: host, into: out, days: days)
      try output.show(IssuedReport(issued)) { "\(issued.certificateChain)  \(issued.privateKey)" }
    }
  }
}

private struct IssuedReport: Encodable {
  var certificate: String
  var key: String
  var authorities: String
  var trustDomain: String

  init(_ files: DevelopmentAuthority.Files) {
    certificate = files.certificateChain
    key = files.privateKey
    authorities = files.authorities
    trustDomain = files.trustDomain
  }
}
