internal import Base

/// Owns the TLS context that an endpoint's new connections get, and makes a new one when its files have changed; from
/// any thread.
///
/// Files that can't be used change nothing: the last good ones stay in use. Files are replaced one after the other, so
/// what is wrong is said only when the next look finds the same.
final class TLSSource: Sendable {
  enum Look: Equatable {
    case nothingNew
    /// New connections get new certificates. With `trust`, whom we trust has changed too.
    case tookUp(trust: Bool)
    case keptOld
  }

  private struct State {
    var context: TLSContext
    var files: TLSFiles
    /// Why the last look took nothing up, and whether that was said.
    var trouble: Fault?
    var isTroubleSaid = false
    var nextLook: Instant
    /// When to say again that the lists of revoked certificates end.
    var nextWarning = Timestamp(milliseconds: 0)
  }

  private let configuration: TLSConfiguration
  private let side: Session.Side
  private let time: any TimeSource
  private let lookMilliseconds: UInt64
  private let audit: AuditLog?
  private let state: Locked<State>

  /// Throws a `Fault` when the files can't be used: an endpoint starts with good ones.
  init(
    _ configuration: TLSConfiguration, side: Session.Side, time: any TimeSource, limits: WireLimits,
    audit: AuditLog? = nil
  ) throws(Fault) {
    self.configuration = configuration
    self.side = side
    self.time = time
    self.audit = audit
    lookMilliseconds = limits.certificateLookMilliseconds
    let files = try TLSFiles.read(configuration)
    state = Locked(
      State(
        context: try TLSContext(configuration, files: files, side: side, time: time), files: files,
        nextLook: time.instant.advanced(byMilliseconds: lookMilliseconds)))
  }

  /// What new connections get.
  var context: TLSContext { state.withLock { $0.context } }

  /// The same, after a look at the files when the last is long enough ago. For a client, whose only use of them is the
  /// next connection.
  func freshContext() -> TLSContext {
    lookIfDue()
    return context
  }

  /// When a client should look again at servers that it is connected to; `nil` when it looks nobody up.
  var nextTrustLook: Instant? {
    configuration.revocationsFile == nil ? nil : state.withLock { $0.nextLook }
  }

  @discardableResult
  func lookIfDue() -> Look {
    let now = time.instant
    let isDue = state.withLock { $0.nextLook <= now }
    return isDue ? look() : .nothingNew
  }

  /// Looks at the files now.
  func look() -> Look {
    state.withLock { state in
      state.nextLook = time.instant.advanced(byMilliseconds: lookMilliseconds)
      defer { warn(&state) }
      do throws(Fault) {
        let files = try TLSFiles.read(configuration)
        if state.files.revocations != nil, files.revocations == nil, let path = configuration.revocationsFile
        {
          throw Fault(.failedPrecondition, "\(path) was there, and is no more: put it back")
        }
        guard files != state.files else {
          (state.trouble, state.isTroubleSaid) = (nil, false)
          return .nothingNew
        }
        state.context = try TLSContext(configuration, files: files, side: side, time: time)
        let hasNewAuthorities = files.authorities != state.files.authorities
        let hasNewLists = files.revocations != state.files.revocations
        state.files = files
        (state.trouble, state.isTroubleSaid) = (nil, false)
        state.nextWarning = Timestamp(milliseconds: 0)
        audit?.record(AuditEvent(.certificatesLoaded, reason: loadedText(hasNewAuthorities, hasNewLists)))
        return .tookUp(trust: hasNewAuthorities || hasNewLists)
      } catch {
        if state.trouble != error {
          (state.trouble, state.isTroubleSaid) = (error, false)
        } else if !state.isTroubleSaid {
          state.isTroubleSaid = true
          audit?.record(
            AuditEvent(
              .certificatesRefused, reason: "the certificates in use stay in use, since \(error.message)"))
        }
        return .keptOld
      }
    }
  }

  /// Says in good time, once a day, that a list ends: from then on nobody is let in.
  private func warn(_ state: inout State) {
    let now = time.now
    guard let lists = state.context.revocations, lists.warning <= now, state.nextWarning <= now else {
      return
    }
    state.nextWarning = now.advanced(bySeconds: 86_400)
    audit?.record(
      AuditEvent(
        .revocationsEnding,
        reason:
          "\(configuration.revocationsFile ?? "the list of revoked certificates") is good until \(lists.end.text), and "
          + "from then on nobody is let in: bring a newer one (`marquee certs renew` makes one)"))
  }

  private func loadedText(_ hasNewAuthorities: Bool, _ hasNewLists: Bool) -> String {
    let chain = configuration.certificateChainFile ?? configuration.authoritiesFile
    return "new connections use \(chain) as it is now"
      + (hasNewAuthorities ? ", and other authorities are trusted" : "")
      + (hasNewLists ? ", and another list of revoked certificates holds" : "")
  }

  func admitServer(_ certificate: PeerCertificate?) throws(Fault) { try context.admitServer(certificate) }
}
