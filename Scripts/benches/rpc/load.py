"""The load of the RPC benchmark: h2load, and one call by hand to see that a server answers as it should."""

import os
import pathlib
import re
import socket
import ssl
import struct
import subprocess
import tempfile

PATH = "/marquee.v1.Ranking/Rank"


def text(field, value):
    data = value.encode()
    return bytes([field << 3 | 2, len(data)]) + data


REQUEST = (text(1, "3f0c2a4e-5b7d-4c11-9e8a-6d2f1b0a9c55") + text(2, "profile-" + "0" * 40 + "1234567")
           + text(3, "detail") + text(4, "US") + bytes([5 << 3, 16, 6 << 3, 50])
           + text(7, "title-" + "0" * 76 + "7919"))
BODY = struct.pack(">BI", 0, len(REQUEST)) + REQUEST


class Done:
    """What one run of h2load did."""

    def __init__(self, calls, seconds, microseconds):
        self.calls, self.rate = calls, calls / seconds
        if microseconds:
            microseconds.sort()
            self.p50 = microseconds[len(microseconds) // 2]
            self.p99 = microseconds[min(len(microseconds) - 1, len(microseconds) * 99 // 100)]


class Load:
    def __init__(self, core):
        self.core = core
        self.request_bytes = len(REQUEST)
        self.reply_bytes = None
        self.folder = tempfile.TemporaryDirectory(prefix="marquee-rpc-", dir=ram())
        self.body = pathlib.Path(self.folder.name) / "body"
        self.body.write_bytes(BODY)

    def close(self):
        self.folder.cleanup()

    def run(self, turn, count, is_timed=False):
        log = pathlib.Path(self.folder.name) / "log"
        command = ["taskset", "-c", str(self.core), "h2load", "--threads=1", f"--clients={turn.connections}",
                   f"--max-concurrent-streams={turn.streams}", f"--requests={count}", f"--data={self.body}",
                   "--header=content-type: application/grpc", "--header=te: trailers"]
        if is_timed:
            log.unlink(missing_ok=True)
            command.append(f"--log-file={log}")
        scheme = "https" if turn.is_tls else "http"
        done = subprocess.run([*command, f"{scheme}://127.0.0.1:{turn.server.port}{PATH}"], capture_output=True,
                              text=True, timeout=600)
        finished = re.search(r"finished in ([\d.]+)(us|ms|s|m),", done.stdout)
        status = re.search(r"status codes: (\d+) 2xx", done.stdout)
        data = re.search(r"\((\d+)\) data", done.stdout)
        if not finished or not status or not data or int(status[1]) != count:
            raise RuntimeError(f"h2load failed against {turn.server.name}: {done.stdout[-500:]}{done.stderr[-500:]}")
        # A call that failed has status 200, too, and no message.
        if self.reply_bytes and int(data[1]) != count * (self.reply_bytes + 5):
            raise RuntimeError(f"{turn.server.name} answered {data[1]} bytes to {count} calls, not "
                               f"{self.reply_bytes + 5} to each")
        seconds = float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[finished[2]]
        times = [int(line.rsplit("\t", 1)[1]) for line in log.read_text().splitlines()] if is_timed else []
        return Done(count, seconds, times)


def ram():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


# --- one call by hand: the reply's message, after frames of RFC 9113


def check_reply(port, is_tls):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        if is_tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            connection = context.wrap_socket(connection)
        connection.settimeout(10)
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
                           + frame(1, 4, 1, header_block(is_tls)) + frame(0, 1, 1, BODY))
        data = reply_data(connection)
    if len(data) < 5 or data[0] != 0 or struct.unpack(">I", data[1:5])[0] != len(data) - 5:
        raise RuntimeError(f"the server at port {port} answers {len(data)} bytes that are no gRPC message")
    return data[5:]


def frame(kind, flags, stream, payload):
    return struct.pack(">IBBI", len(payload), kind, flags, stream)[1:] + payload


def header_block(is_tls):
    fields = [(":method", "POST"), (":scheme", "https" if is_tls else "http"), (":path", PATH),
              (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers")]
    # Literals without indexing and without Huffman coding (RFC 7541 6.2.2): every length here is below 127.
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
                    for name, value in fields)


def reply_data(connection):
    data = b""
    while True:
        head = exactly(connection, 9)
        size, kind, flags, stream = struct.unpack(">I", b"\0" + head[:3])[0], head[3], head[4], head[5:]
        payload = exactly(connection, size)
        if struct.unpack(">I", stream)[0] == 1:
            if kind == 0:
                data += payload
            if kind in (0, 1) and flags & 1:
                return data
            if kind == 3:
                raise RuntimeError("the server reset the call")
        elif kind == 7:
            raise RuntimeError("the server sent GOAWAY")


def exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise RuntimeError("the server closed the connection in the middle of a call")
        data += piece
    return data
