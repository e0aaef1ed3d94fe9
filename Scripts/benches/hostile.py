"""A thousand connections that mean no good beside one client that does.

The server is that of the rpc benchmark, in plain text, on one core; everything else is on another. The good client
calls marquee.v1.Ranking/Rank one at a time on one connection, all the while. Metrics:
  p99_us              of the good client, case `quiet` and case `crowd`
  p99_ratio           crowd by quiet, within rounds
  added_rss_mb        the server's resident memory at its highest with the crowd, less that without
  calm_percent        of the floods, those that were told ENHANCE_YOUR_CALM or PROTOCOL_ERROR
  flood_seconds       the longest that a flood went on before the server ended it
  closed_seconds      after the last round: until the server had closed all that was left of the crowd
The crowd comes evenly over the turn, so that the good client meets every part of it. Both take turns of 50 ms in one
process: what is measured is the server's work for the crowd, not the crowd's own.
The crowd, in equal parts: silence, garbage, half a preface, half a header block, half a body, replies unread, replies
without a window, header bombs; and floods of PING, SETTINGS, resets, empty DATA and malformed requests.
"""

import collections
import itertools
import os
import socket
import struct
import time

from rpc import PARTS, base  # noqa: F401, puts the parts on the path
from load import BODY, PATH
from servers import Builder, Server, free_port

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING = 0, 1, 3, 4, 6
END_STREAM, END_HEADERS = 1, 4
FLOOD_FRAMES = 5_000


def add_options(parser):
    parser.add_argument("--rounds", type=int, help="quiet and crowd in turns (5; with --quick 1)")
    parser.add_argument("--seconds", type=float, help="seconds of each turn (15; with --quick 5)")
    parser.add_argument("--connections", type=int, help="bad connections (1040; with --quick 130)")
    parser.add_argument("--server", help="a ready-made rpc-bench-server")


def run(options, figures):
    rounds = options.rounds or (1 if options.quick else 5)
    seconds = options.seconds or (5 if options.quick else 15)
    count = options.connections or (130 if options.quick else 1040)
    bench = Hostile(options, figures, seconds, count)
    for number in range(rounds):
        bench.round(number == rounds - 1)
    bench.report()


# MARK: what the crowd says

def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """A field as it is, without indexing; both shorter than 127 bytes."""
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


FIELDS = b"".join(literal(*field) for field in [
    (":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "localhost"), ("te", "trailers"),
    ("content-type", "application/grpc")])


def call(stream, ends=False):
    return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream, FIELDS)


def calls(count):
    return b"".join(call(2 * n + 1) + frame(DATA, END_STREAM, 2 * n + 1, BODY) for n in range(count))


HELLO = PREFACE + frame(SETTINGS, 0, 0)
BOMB = FIELDS + b"\x40\x01x\x7f" + b"\xa1\x1e" + b"a" * 4000 + b"\xbe" * 8000


def flood(each, opening=b""):
    return HELLO + opening, b"".join(each(n) for n in range(FLOOD_FRAMES))


# Kind: what is said at once, and what a flood goes on with.
CROWD = {
    "silence": (b"", None),
    "garbage": (b"\x16" * 4000, None),
    "half-preface": (PREFACE[:20], None),
    "half-headers": (HELLO + frame(HEADERS, 0, 1, FIELDS), None),
    "half-body": (HELLO + b"".join(call(2 * n + 1) + frame(DATA, 0, 2 * n + 1, struct.pack(">BI", 0, 1 << 20)
                                                         + bytes(8000)) for n in range(5)), None),
    "unread": (HELLO + calls(100), None),
    "no-window": (PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + calls(100), None),
    "bomb": (HELLO + b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, BOMB) for n in range(5)), None),
    "ping": flood(lambda n: frame(PING, 0, 0, bytes(8))),
    "settings": flood(lambda n: frame(SETTINGS, 0, 0)),
    "resets": flood(lambda n: call(2 * n + 1) + frame(RESET, 0, 2 * n + 1, struct.pack(">I", 8))),
    "empty-data": flood(lambda n: frame(DATA, 0, 1), call(1)),
    "malformed": flood(lambda n: frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, FIELDS + literal("BAD", "x"))),
}


class BadPeer:
    """One connection of the crowd; reads only when it floods, to hear how it ends."""

    def __init__(self, port, kind):
        self.kind = kind
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        first, more = CROWD[kind]
        self.rest = memoryview(first + (more or b""))
        self.is_flood = more is not None
        self.began = time.monotonic()
        self.ended = None
        self.heard = b""
        self.go_away = None

    def step(self):
        """Says on, as far as it can at once."""
        try:
            while self.rest:
                self.rest = self.rest[self.socket.send(self.rest[:16_384]):]
        except BlockingIOError:
            pass
        except OSError:
            self.rest = memoryview(b"")
        if self.is_flood:
            self.listen()

    def listen(self):
        try:
            while data := self.socket.recv(65_536):
                self.heard += data
            self.end()
        except BlockingIOError:
            pass
        except OSError:
            self.end()
        while len(self.heard) >= 9:
            size = 9 + int.from_bytes(self.heard[:3], "big")
            if len(self.heard) < size:
                break
            if self.heard[3] == 7:
                self.go_away = int.from_bytes(self.heard[13:17], "big")
                self.end()
            self.heard = self.heard[size:]

    def end(self):
        self.ended = self.ended or time.monotonic()

    def is_closed(self):
        """Whether the server has ended it: what wasn't read has to be, first."""
        while self.ended is None:
            try:
                if not self.socket.recv(1 << 20):
                    self.end()
            except BlockingIOError:
                return False
            except OSError:
                self.end()
        return True


class Hostile:
    def __init__(self, options, figures, seconds, count):
        self.figures, self.seconds, self.count = figures, seconds, count
        cores = sorted(os.sched_getaffinity(0))
        self.core, load_core = cores[0], cores[-1]
        os.sched_setaffinity(0, {load_core})
        command = options.server
        if not command:
            builder = Builder(base())
            builder.build(["marquee"])
            command = builder.commands["marquee"]
        self.command = str(command)
        self.values = {name: [] for name in ("quiet", "crowd", "ratio", "rss", "calm", "flood", "closed")}

    def round(self, is_last):
        port = free_port()
        server = Server("marquee", port, ["taskset", "-c", str(self.core), self.command, str(port), "straight"],
                        dict(os.environ), None)
        try:
            client = GoodClient(port)
            client.run(1)
            quiet = client.run(self.seconds)
            resident = server.resident_mb()
            crowd = Crowd(port, self.count, self.seconds)
            highest = 0.0
            loud = []
            until = time.monotonic() + self.seconds
            while time.monotonic() < until:
                loud += client.run(0.05)
                crowd.step()
                highest = max(highest, server.resident_mb())
            self.note(p99(quiet), p99(loud), highest - resident, crowd)
            if is_last:
                self.values["closed"].append(crowd.closed_after(120, client))
        finally:
            server.stop()

    def note(self, quiet, loud, added, crowd):
        values = self.values
        values["quiet"].append(quiet)
        values["crowd"].append(loud)
        values["ratio"].append(loud / quiet)
        values["rss"].append(added)
        floods = [peer for peer in crowd.peers if peer.is_flood]
        values["calm"].append(100 * sum(peer.go_away in (1, 11) for peer in floods) / len(floods))
        values["flood"].append(max((peer.ended or time.monotonic()) - peer.began for peer in floods))

    def report(self):
        add, values = self.figures.add, self.values
        add("quiet", "p99_us", values["quiet"], "us")
        add("crowd", "p99_us", values["crowd"], "us")
        add("crowd", "p99_ratio", values["ratio"], "ratio")
        add("crowd", "added_rss_mb", values["rss"], "MB")
        add("crowd", "calm_percent", values["calm"], "%")
        add("crowd", "flood_seconds", values["flood"], "s")
        add("crowd", "closed_seconds", values["closed"], "s")


class Crowd:
    def __init__(self, port, count, seconds):
        self.port, self.count, self.seconds = port, count, seconds
        self.kinds = itertools.cycle(CROWD)
        self.began = time.monotonic()
        self.peers = []

    def step(self):
        """Some more come, as many as are due; those that are there say on."""
        due = min(self.count, 1 + int(self.count * (time.monotonic() - self.began) / self.seconds))
        while len(self.peers) < due:
            self.peers.append(BadPeer(self.port, next(self.kinds)))
        for peer in self.peers:
            if peer.ended is None and (peer.rest or peer.is_flood):
                peer.step()

    def closed_after(self, seconds_max, client):
        began = time.monotonic()
        while not all(peer.is_closed() for peer in self.peers):
            if time.monotonic() > began + seconds_max:
                left = collections.Counter(peer.kind for peer in self.peers if not peer.is_closed())
                raise RuntimeError(f"after {seconds_max} s connections are still open: {dict(left)}")
            client.run(0.05)
            time.sleep(0.2)
        return time.monotonic() - began


class GoodClient:
    """One call at a time on one connection, by hand: what it measures isn't its own work."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(10)
        self.socket.sendall(HELLO + frame(SETTINGS, END_STREAM, 0))
        self.stream = 1
        self.heard = b""

    def run(self, seconds):
        """Microseconds of each call."""
        times = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter_ns()
            self.call()
            times.append((time.perf_counter_ns() - began) / 1000)
        return times

    def call(self):
        self.socket.sendall(call(self.stream) + frame(DATA, END_STREAM, self.stream, BODY))
        received = 0
        while True:
            while len(self.heard) < 9 or len(self.heard) < 9 + int.from_bytes(self.heard[:3], "big"):
                data = self.socket.recv(65_536)
                if not data:
                    raise RuntimeError("the server closed the good client's connection")
                self.heard += data
            size = 9 + int.from_bytes(self.heard[:3], "big")
            kind, flags, stream = self.heard[3], self.heard[4], int.from_bytes(self.heard[5:9], "big")
            self.heard = self.heard[size:]
            if kind in (RESET, 7):
                raise RuntimeError(f"the good client's call {self.stream} failed: frame {kind}")
            if kind == DATA:
                received += size - 9
            if stream == self.stream and kind in (DATA, HEADERS) and flags & END_STREAM:
                break
            if kind == PING and not flags & 1:
                self.socket.sendall(frame(PING, 1, 0, bytes(8)))
        if received:
            self.socket.sendall(frame(8, 0, 0, struct.pack(">I", received)))
        self.stream += 2


def p99(values):
    values = sorted(values)
    return values[len(values) * 99 // 100]
