"""gRPC's standard interop cases by gRPC for Go, where Debian's is installed: it has an HTTP/2, a TLS and a gzip of its own."""

import pathlib
import shutil
import subprocess

import pytest
from testservice import ROOT

CASES = """
empty_unary large_unary client_streaming server_streaming slow_consumer half_duplex ping_pong empty_stream
cancel_after_begin cancel_after_first_response timeout_on_sleeping_server pick_first_unary custom_metadata
status_code_and_message special_status_message unimplemented_method unimplemented_service client_compressed_unary
server_compressed_unary client_compressed_streaming server_compressed_streaming rpc_soak channel_soak concurrent_soak
""".split()


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    sources = pathlib.Path("/usr/share/gocode/src")
    needed = ("google.golang.org/grpc", "github.com/golang/protobuf/proto")
    if not all(map(shutil.which, ("go", "protoc", "protoc-gen-go"))) or not all((sources / each).is_dir() for each in needed):
        pytest.skip("needs Debian's golang-go, golang-google-grpc-dev, golang-goprotobuf-dev and protobuf-compiler")
    directory = tmp_path_factory.mktemp("interop-go")
    subprocess.run([str(ROOT / "Tests/interop-go/build"), str(directory)], check=True)
    return directory / "client"


@pytest.mark.parametrize("case", CASES)
def test_case(client, interop_server, case):
    arguments = [str(client), interop_server.address, case]
    if interop_server.certs:
        arguments += [str(interop_server.certs / name) for name in ("authority.pem", "edge-client.pem", "edge-client.key")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
