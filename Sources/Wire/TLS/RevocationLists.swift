internal import Base
internal import COpenSSL

/// The lists in an endpoint's file, once they are found to be those of the authorities that it trusts.
struct RevocationLists {
  let lists: [RevocationList]
  /// When the first of them ends that is needed: from then on no peer is let in.
  let end: Timestamp
  /// When to say that it does: a quarter of its life before.
  let warning: Timestamp

  /// Throws unless each authority has a list in the file that it signed and that is to be used `now`. A file that can't be
  /// believed is never the same as an empty one.
  init(
    _ bytes: [UInt8], of path: String, authorities: [Certificate], now: Timestamp
  ) throws(Fault) {
    lists = try PEM.lists(bytes, of: path)
    var (soonest, warning): (Timestamp?, Timestamp?)
    for authority in authorities {
      let own = lists.filter { $0.isOf(authority) }
      guard !own.isEmpty else {
        throw Fault(
          .failedPrecondition,
          "\(path) has no list of \(authority.subject), which is trusted: bring the list that belongs to the "
            + "authorities' file")
      }
      guard own.allSatisfy({ $0.isSigned(by: authority) }) else {
        throw Fault(
          .failedPrecondition,
          "\(path) has a list in the name of \(authority.subject) that it didn't sign: bring the true one")
      }
      guard let start = own.compactMap(\.start).min(), let end = own.compactMap(\.end).max() else {
        throw Fault(.failedPrecondition, "\(path) doesn't say how long it is good")
      }
      guard start <= now else {
        throw Fault(.failedPrecondition, "\(path) is good from \(start.text) on only: is the clock right?")
      }
      guard now < end else {
        throw Fault(
          .failedPrecondition,
          "\(path) was good until \(end.text): bring a newer list (`marquee certs renew` makes one)")
      }
      if soonest.map({ end < $0 }) ?? true {
        soonest = end
        warning = Timestamp(
          milliseconds: end.milliseconds - max(0, end.milliseconds - start.milliseconds) / 4)
      }
    }
    guard let soonest, let warning else {
      throw Fault(.failedPrecondition, "\(path) is for authorities, and none is trusted")
    }
    end = soonest
    self.warning = warning
  }

  /// Whether one of them has the certificate. Serial numbers are too long to meet by chance among authorities of one name.
  func have(_ certificate: OpaquePointer) -> Bool {
    let issuer = X509_get_issuer_name(certificate)
    return lists.contains { list in
      var entry: OpaquePointer?
      return X509_NAME_cmp(issuer, X509_CRL_get_issuer(list.handle)) == 0
        && X509_CRL_get0_by_cert(list.handle, &entry, certificate) == 1
    }
  }

  /// Makes verifications by `store` look every peer's certificate up.
  func set(on store: OpaquePointer?, of path: String) throws(Fault) {
    for list in lists {
      guard X509_STORE_add_crl(store, list.handle) == 1 else {
        throw Fault(.failedPrecondition, "can't use a list in \(path): \(opensslText())")
      }
    }
    guard X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK)) == 1 else {
      throw Fault(.internalError, "OpenSSL doesn't look at lists: \(opensslText())")
    }
  }
}
