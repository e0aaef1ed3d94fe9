"""`interop-server` as a process, its messages, and gRPC calls to it by hand, frame by frame."""

import importlib
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
from types import SimpleNamespace

import grpc
import h2.config
import h2.connection
import h2.events

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LARGE_REQUEST, LARGE_RESPONSE = 271_828, 314_159


def binary() -> str:
    """The built `interop-server`: $INTEROP_SERVER, else the release build, else the debug build."""
    builds = [ROOT / ".build" / kind / "interop-server" for kind in ("release", "debug")]
    for candidate in [os.environ.get("INTEROP_SERVER", ""), *map(str, builds)]:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise SystemExit("no interop-server: run `swift build --product interop-server`, or set INTEROP_SERVER to one")


def load_messages(out):
    """Makes the modules of the interop protos in `out`; they live in the package `grpc.testing`."""
    import grpc_tools
    from grpc_tools import protoc

    protos = ROOT / "Tests/InteropProtos"
    files = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    assert protoc.main([
        "protoc", f"-I{protos}", f"-I{pathlib.Path(grpc_tools.__file__).parent / '_proto'}", f"--python_out={out}",
        f"--grpc_python_out={out}", *files]) == 0
    # The protos' package has the name of grpcio's own.
    grpc.__path__.append(str(pathlib.Path(out) / "grpc"))
    sys.path.insert(0, str(out))
    module = importlib.import_module
    return SimpleNamespace(
        types=module("grpc.testing.messages_pb2"), services=module("grpc.testing.test_pb2_grpc"),
        empty=module("grpc.testing.empty_pb2"), load=module("xds.data.orca.v3.orca_load_report_pb2"),
        load_types=module("xds.service.orca.v3.orca_pb2"), load_services=module("xds.service.orca.v3.orca_pb2_grpc"))


class InteropServer:
    """One process, in plain text, or with the certificates of a directory by mutual TLS."""

    def __init__(self, certs=None):
        self.certs = certs
        arguments = [binary(), "--port", "0"]
        if certs:
            arguments += ["--use_tls", "true", "--cert", str(certs / "server.pem"), "--key", str(certs / "server.key"),
                          "--ca", str(certs / "authority.pem"), "--crl", str(certs / "authority.crl")]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening at "), f"interop-server said {line!r}"
        self.address = line.removeprefix("listening at ").strip()

    def channel(self, options=(), **arguments):
        if not self.certs:
            return grpc.insecure_channel(self.address, options=options, **arguments)
        read = lambda name: (self.certs / name).read_bytes()
        credentials = grpc.ssl_channel_credentials(
            read("authority.pem"), read("edge-client.key"), read("edge-client.pem"))
        return grpc.secure_channel(self.address, credentials, options=options, **arguments)

    def raw(self):
        return RawConnection(self.address, self.certs)

    def close(self):
        """Its exit code after SIGTERM."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()


def make_certs(directory):
    subprocess.run([binary(), "--make_certs", str(directory)], check=True)
    return directory


class RawReply:
    def __init__(self):
        self.headers, self.trailers, self.body, self.reset = {}, {}, b"", None
        self.ended = False

    @property
    def messages(self):
        """Of each message its compressed flag and its bytes, as they travelled."""
        messages, rest = [], self.body
        while rest:
            flag, size = struct.unpack(">BI", rest[:5])
            assert len(rest) >= 5 + size, "the body ends in the middle of a message"
            messages.append((flag, rest[5:5 + size]))
            rest = rest[5 + size:]
        return messages

    @property
    def status(self):
        return self.trailers.get("grpc-status", self.headers.get("grpc-status"))


def joined(fields):
    """By name; the values of one name joined by commas, as HTTP has it."""
    values = {}
    for name, value in fields:
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def framed(message, compressed=False):
    return struct.pack(">BI", int(compressed), len(message)) + message


class RawConnection:
    """HTTP/2 by hand: what a gRPC library would hide can be sent and seen."""

    def __init__(self, address, certs=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        if certs:
            context = ssl.create_default_context(cafile=str(certs / "authority.pem"))
            context.load_cert_chain(str(certs / "edge-client.pem"), str(certs / "edge-client.key"))
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
            assert self.socket.selected_alpn_protocol() == "h2"
        self.scheme = "https" if certs else "http"
        # Without the library's own checks: what is wrong is sent on purpose.
        self.connection = h2.connection.H2Connection(config=h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        self.connection.initiate_connection()
        self.replies = {}
        self._send()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send(self):
        self.socket.sendall(self.connection.data_to_send())

    def _receive(self):
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server closed the connection")
        for event in self.connection.receive_data(data):
            reply = self.replies.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ResponseReceived):
                reply.headers = joined(event.headers)
            elif isinstance(event, h2.events.TrailersReceived):
                reply.trailers = joined(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                reply.body += event.data
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                reply.reset, reply.ended = event.error_code, True
            elif isinstance(event, h2.events.StreamEnded):
                reply.ended = True
        self._send()

    def call(self, path, body=b"", headers=(), te="trailers", content_type="application/grpc"):
        """One call with this body; returns when it has ended."""
        fields = [(":method", "POST"), (":scheme", self.scheme), (":path", path), (":authority", "localhost")]
        fields += [("te", te)] if te else []
        fields += [("content-type", content_type)] if content_type else []
        return self.request([*fields, *headers], body)

    def request(self, fields, body=b""):
        stream = self.connection.get_next_available_stream_id()
        reply = self.replies[stream] = RawReply()
        self.connection.send_headers(stream, fields)
        while body and not reply.ended:
            room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
            if room:
                self.connection.send_data(stream, body[:room])
                body = body[room:]
                self._send()
            else:
                self._receive()
        if not reply.ended:
            self.connection.end_stream(stream)
            self._send()
        while not reply.ended:
            self._receive()
        return reply
