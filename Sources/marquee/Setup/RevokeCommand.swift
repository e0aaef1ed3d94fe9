import ArgumentParser
import Base
import Foundation
import Wire

/// Where an authority says that its list of revoked certificates is.
struct RevocationListOptions: ParsableArguments {
  @Option(
    name: .customLong("crl-url"),
    help: ArgumentHelp(
      "Where the directory `lists` will be served; http://crl.TRUST-DOMAIN, or that of the authority before, when not said.",
      valueName: "url"))
  var crlURL: String?
}

extension CertsCommand {
  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Revoke certificates: put them into the authority's list, authority.crl.",
      discussion: """
        Nodes that get the new authority.crl refuse these certificates from then on, and cut the connections that were \
        made with them. Without a certificate the list is only signed anew, which `renew` does as well. A certificate \
        that was revoked stays so: make another one with `renew` or `issue`, under the same name if you like.
        """)

    @Argument(
      help: ArgumentHelp(
        "NAME of NAME.pem in the authority's directory or --in, a certificate's file, or its serial number.",
        valueName: "certificate"))
    var certificates: [String] = []
    @Option(help: "The authority's directory.", completion: .directory) var authority: String
    @Option(
      name: .customLong("in"), help: "Where NAME.pem is; the authority's directory when not said.",
      completion: .directory)
    var folder: String?
    @Option(help: "A directory that gets the new authority.crl (may be repeated).", completion: .directory)
    var out: [String] = []
    @Option(help: "How many days the list is good: it has to be renewed before.")
    var crlDays = DevelopmentAuthority.listDays
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let authority = try DevelopmentAuthority.open(authority)
      let folder = folder ?? authority.directory
      let serials = try certificates.map { try authority.serial(of: $0, in: folder) }
      let list = try authority.relist(revoking: serials, days: crlDays)
      for directory in out { try authority.distributeList(to: directory) }
      try output.show(Report(list, serials)) {
        let end = list.end.date.formatted(.iso8601)
        return
          (serials.map { "\($0) is revoked" } + [
            "\(list.path): list \(list.number), \(list.revokedCount) revoked, good until \(end); bring it to every node and client"
          ]).joined(separator: "\n")
      }
    }

    private struct Report: Encodable {
      var list: String
      var number: Int64
      var revoked: [String]
      var revokedInAll: Int
      var until: String

      init(_ list: DevelopmentAuthority.ListReport, _ serials: [SerialNumber]) {
        self.list = list.path
        number = list.number
        revoked = serials.map(\.description)
        revokedInAll = list.revokedCount
        until = list.end.date.formatted(.iso8601)
      }
    }
  }
}

extension Timestamp {
  fileprivate var date: Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }
}
