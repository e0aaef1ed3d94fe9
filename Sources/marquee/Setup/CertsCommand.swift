import ArgumentParser
import Base
import Foundation
import Wire

extension Role: ExpressibleByArgument {}

/// `marquee certs`: a development authority, and certificates by role.
struct CertsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "certs", abstract: "Make a development authority and certificates by role.",
    subcommands: [
      Development.self, Authority.self, Issue.self, Renew.self, Revoke.self, Roll.self, Retire.self,
    ])

  struct Development: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "An authority and one certificate for each role, in one directory.",
      discussion: "Whoever can read the directory can be anybody: for development, not for production.")

    @Option(help: "The directory.", completion: .directory) var out: String
    @Option(help: "The trust domain of the SPIFFE URIs.") var trustDomain = "marquee.test"
    @Option(help: "How long the certificates are good.") var days = 90
    @Option(help: "Hosts and addresses beside loopback, for the servers' certificates.") var host: [String] =
      []
    @OptionGroup var list: RevocationListOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let authority = try DevelopmentAuthority.create(
        in: out, trustDomain: trustDomain, listBase: list.crlURL)
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
      abstract:
        "An authority: authority.pem, authority.key, and authority.crl, its list of revoked certificates.")

    @Option(help: "The directory.", completion: .directory) var out: String
    @Option(help: "The trust domain of the SPIFFE URIs.") var trustDomain = "marquee.test"
    @Option(help: "How long it is good.") var days = 365
    @OptionGroup var list: RevocationListOptions

    func run() async throws {
      _ = try DevelopmentAuthority.create(
        in: out, trustDomain: trustDomain, listBase: list.crlURL, days: days)
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

  struct Renew: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make certificates anew, with new keys: the same names, and the authorities of now.",
      discussion: """
        The authority's list of revoked certificates is signed anew, too. Servers and clients that run take the new files up within seconds; no connection is cut.
        """)

    @Option(help: "The authority's directory.", completion: .directory) var authority: String
    @Option(
      help: "Where the certificates are; the authority's directory when not said.", completion: .directory)
    var out: String?
    @Option(help: "Which of them (may be repeated); all when not said.") var identity: [String] = []
    @Option(help: "How long they are good.") var days = 90
    @Option(help: "How many days the list of revoked certificates is good.")
    var crlDays = DevelopmentAuthority.listDays
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let authority = try DevelopmentAuthority.open(authority)
      let target = out ?? authority.directory
      let names = identity.isEmpty ? try Self.identities(in: target) : identity
      if try authority.canList() { _ = try authority.relist(days: crlDays) }
      try authority.distribute(to: target)
      let renewed = try names.map { try authority.renew(name: $0, in: target, days: days) }
      try output.show(renewed.map(IssuedReport.init)) {
        renewed.map { "\($0.certificateChain)  \($0.privateKey)" }.joined(separator: "\n")
      }
    }

    private static func identities(in directory: String) throws -> [String] {
      let files = Set(try SystemDisk().list(directory))
      let names = files.filter { $0.hasSuffix(".pem") }.map { String($0.dropLast(4)) }
        .filter { $0 != "authority" && files.contains("\($0).key") }.sorted()
      guard !names.isEmpty else { throw Fault(.notFound, "\(directory) has no certificates to make anew") }
      return names
    }
  }

  struct Roll: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a new authority beside the old one; both are trusted, the new one signs.",
      discussion: """
        1. roll, and bring the new authority.pem to every node and client (renew --out does that too)
        2. renew the certificates everywhere
        3. retire, and bring authority.pem everywhere again: what the old authority signed is refused from then on, and \
        connections that it made are drained
        """)

    @Option(help: "The authority's directory.", completion: .directory) var authority: String
    @Option(help: "How long the new one is good.") var days = 365
    @OptionGroup var list: RevocationListOptions

    func run() async throws {
      try DevelopmentAuthority.open(authority).roll(listBase: list.crlURL, days: days)
      print("\(authority)/authority.pem has the new authority and the old; the new one signs")
    }
  }

  struct Retire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End the trust in the old authority, once everybody has a certificate of the new one.")

    @Option(help: "The authority's directory.", completion: .directory) var authority: String

    func run() async throws {
      let count = try DevelopmentAuthority.open(authority).retire()
      print("\(authority)/authority.pem has the signing authority alone; \(count) taken out")
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
