/// What a ``MarqueeClient`` needs to know before its first call. Everything else it learns from the fleet.
public struct ClientConfiguration: Sendable {
  /// `host:port` of any replicas of any regions, or of the control node: enough of them that one answers. They are
  /// asked for the routing; ranking goes to the replicas that the routing names.
  public var seeds: [String]
  /// The region to keep to, by its name in the routing.
  public var homeRegion: String
  /// `nil` speaks plain text: for tests on loopback.
  public var tls: TLSFiles?
  /// How long a rank call may take in all when the caller doesn't say.
  public var rankTimeout: Duration = .milliseconds(500)
  /// How long a batch of events may take in all when the caller doesn't say. A disk stands behind it: a replica that is
  /// given up too soon is one that its profiles' next rows don't come from.
  public var recordTimeout: Duration = .seconds(5)
  /// The share of a call's time after which a try that has not answered is given a rival at the next replica. With a
  /// quarter, two replicas that hang leave half of the time to the third.
  public var tryShare: Double = 0.25
  /// Tries of one call at most, the first included.
  public var tryCountMax = 6
  public var retries = RetryThrottle()
  /// How long a replica that failed is left alone at first, and at most, before it is asked again whether it is well.
  /// It doubles with each failure that no success has followed.
  public var restMinimum: Duration = .milliseconds(100)
  public var restMaximum: Duration = .seconds(5)
  /// How often the routing is asked for besides being watched, should the watched replica have fallen silent.
  public var routingInterval: Duration = .seconds(2)

  public init(seeds: [String], homeRegion: String, tls: TLSFiles? = nil) {
    self.seeds = seeds
    self.homeRegion = homeRegion
    self.tls = tls
  }

  /// PEM files for mutual TLS.
  public struct TLSFiles: Sendable {
    /// The authorities that signed the fleet's certificates.
    public var authorities: String
    /// This client's certificate with its intermediates; its role is `edge-client` or `ops`.
    public var certificate: String
    /// Readable by its owner only.
    public var key: String
    /// The trust domain of the fleet's SPIFFE URIs.
    public var trustDomain: String
    /// The authorities' lists of revoked certificates (`authority.crl`): servers are looked up in it, and with a list
    /// that has ended none is taken. `nil` looks nobody up.
    public var revocations: String?
    /// The name that the fleet's certificates have, when it isn't the host that is dialled.
    public var serverName: String?

    public init(
      authorities: String, certificate: String, key: String, trustDomain: String, revocations: String? = nil,
      serverName: String? = nil
    ) {
      self.authorities = authorities
      self.certificate = certificate
      self.key = key
      self.trustDomain = trustDomain
      self.revocations = revocations
      self.serverName = serverName
    }
  }

  /// How much of what fails is tried again: gRPC's retry throttling (proposal A6).
  ///
  /// A bucket starts with `tokenCountMax` tokens. Each try that fails, and each that is given a rival, takes one; each
  /// that succeeds gives `tokensPerSuccess` back. While the bucket is half full or less, nothing is tried again, so a
  /// fleet that is in trouble gets at most about a tenth more calls than it would without retries. Tries that no
  /// handler saw (a refused connection, a drained region that names another) are free.
  public struct RetryThrottle: Sendable {
    public var tokenCountMax: Double = 1000
    public var tokensPerSuccess: Double = 0.1

    public init() {}
  }
}
