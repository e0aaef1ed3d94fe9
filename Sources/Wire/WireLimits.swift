/// What a peer may make us hold or wait for: every limit of the transport, in one place.
///
/// The arithmetic of memory, for one connection in the worst case:
/// - received and not yet taken: `connectionBufferedBytesMax`, then the call that went over it is refused;
/// - queued for sending: `connectionBufferedBytesMax` over all calls before new ones are refused, and for each
///   open streaming call at most `sendQueueBytesMax` and one message, since its writer waits;
/// - header blocks: one of `headerListBytesMax` in the making, and one for each of `concurrentStreamsMax` calls;
/// - the channel's own write queue: 64 KiB, then nothing more is taken from HTTP/2.
///
/// So a connection holds at most about 2 × 32 MiB + 128 × (8 + 256) KiB + 1 message, and an honest one almost
/// nothing. All connections together hold `bufferedBytesMax`, then what is in flight on each of them: at most
/// `sendQueueBytesMax` and one message each way.
///
/// Of unary replies that nobody reads they hold together, for longer than two intervals of
/// `strainedReadMilliseconds`, no more than `strainedBytes`, and `slowReaderBytesMax` for each connection: what is above
/// that is given up. Besides its bytes a queued reply costs its stream, here and in HTTP/2, and not the request's
/// headers: those go when it is queued.
///
/// What a peer makes us answer is bounded too: 512 acknowledgements of PING and SETTINGS, and the frames that
/// ``FrameBudget`` lets pass, each with at most one short frame in return.
package struct WireLimits: Sendable, Equatable {
  /// The longest message taken from a peer, in bytes, without its 5-byte prefix. Longer: `resourceExhausted`.
  package var messageBytesMax = 4 << 20
  /// The longest header list, in bytes as RFC 9113 6.5.2 counts them (32 more a field). Advertised to the peer.
  package var headerListBytesMax = 8 << 10
  /// Calls open at a time on one connection. Advertised by a server, honoured by a client.
  package var concurrentStreamsMax = 128
  /// What a peer may send on one stream before its messages are taken, in bytes.
  package var streamWindowBytes = 256 << 10
  /// What a peer may send on a connection before we have looked at it, in bytes.
  package var connectionWindowBytes = 4 << 20
  /// Bytes queued on one streaming call above which its writer waits; it goes on at half of it.
  package var sendQueueBytesMax = 256 << 10
  /// Bytes of messages held for one connection, counted for each direction.
  package var connectionBufferedBytesMax = 32 << 20
  /// Bytes of messages held for all connections of a server, both ways. Over it, connections that hold more than
  /// `sendQueueBytesMax` themselves are refused more.
  package var bufferedBytesMax = 256 << 20
  /// Bytes of messages held for all connections above which slow readers are not waited for as long. Far above what a
  /// server holds for callers that read.
  package var strainedBytes = 16 << 20
  /// Then a connection with more than this many bytes of unary replies waiting, which takes less than 16 KiB of
  /// DATA in `strainedReadMilliseconds`, loses them, and gets no more calls while it holds as much again.
  package var slowReaderBytesMax = 32 << 10
  package var strainedReadMilliseconds: UInt64 = 2_000
  /// Connections that a server holds; one more is closed at once.
  package var connectionsMax = 4096
  /// From accept to the end of the TLS handshake and the peer's first SETTINGS.
  package var handshakeMilliseconds: UInt64 = 10_000
  /// From the first to the last byte of one header block, or of any other frame but DATA.
  package var headersMilliseconds: UInt64 = 10_000
  /// How long a request may make no progress while it is owed: a unary call's body, or the rest of a message
  /// of a streaming one. A kibibyte in that time is progress.
  package var bodyMilliseconds: UInt64 = 20_000
  /// How long a caller may read nothing of a reply that waits for it: then its stream is reset, or the connection
  /// closed when nothing at all can leave. A slow reader, a kibibyte in that time, is let be.
  package var readMilliseconds: UInt64 = 30_000
  /// Silence after which a server asks a peer by a PING whether it is still there.
  package var keepaliveMilliseconds: UInt64 = 10_000
  /// How long the peer may take to say anything after that: then the connection is closed and its calls are cancelled.
  /// Without this a peer whose machine is gone, or whose process is stopped, holds its calls for ever.
  package var keepaliveAnswerMilliseconds: UInt64 = 10_000
  /// How close together a client's PINGs may be while calls are open and nothing is sent to it. A second less than the
  /// ten that many clients are set to: timers are not exact.
  package var pingIntervalMilliseconds: UInt64 = 9_000
  /// The same while no call is open.
  package var pingIntervalIdleMilliseconds: UInt64 = 300_000
  /// PINGs that may come too early before the connection is ended as gRPC does it, by `too_many_pings`.
  package var pingStrikesMax = 2
  /// How long a client waits for a connection to be made and to become usable.
  package var connectMilliseconds: UInt64 = 5_000
  /// How long a draining server waits for a peer to have seen the first GOAWAY.
  package var drainNoticeMilliseconds: UInt64 = 1_000
  /// How long a draining server lets open calls go on.
  package var drainGraceMilliseconds: UInt64 = 7_000
  /// How long the statuses of calls that it ended then may take to leave. With `lingerMilliseconds` that makes 8.5 s
  /// from SIGTERM to the last connection's end.
  package var drainLeaveMilliseconds: UInt64 = 500
  /// How long a connection that we closed waits for its last bytes to leave.
  package var lingerMilliseconds: UInt64 = 1_000
  // MARK: Age

  /// How long a server keeps a connection, ± 10 % so that those made together don't end together. Then GOAWAY
  /// (`max_age`) sends new calls to another: it is how a changed certificate, or a changed set of servers, reaches
  /// everybody. `UInt64.max` is for ever.
  package var connectionAgeMilliseconds: UInt64 = 3_600_000
  /// How long calls on it may go on after that, streams that never end by themselves too.
  package var connectionAgeGraceMilliseconds: UInt64 = 600_000
  /// How long a server keeps a connection on which there is no call, ± 10 %; then GOAWAY (`max_idle`).
  package var connectionIdleMilliseconds: UInt64 = 900_000

  // MARK: Housekeeping

  /// How often certificate files are looked at for changes.
  package var certificateLookMilliseconds: UInt64 = 2_000
  /// How often a server looks after what no call brings about.
  package var housekeepingMilliseconds: UInt64 = 2_000
  /// Calls that a client keeps waiting for a place among the peer's concurrent streams.
  package var queuedCallsMax = 4096

  package init() {}
}
