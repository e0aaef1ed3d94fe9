"""gRPC's standard interop cases by C++ gRPC, where Debian's is installed; it knows of each message whether it was
compressed."""

import shutil
import subprocess

import pytest
from testservice import ROOT

CASES = """
empty_unary large_unary client_streaming server_streaming slow_consumer half_duplex ping_pong empty_stream
cancel_after_begin cancel_after_first_response timeout_on_sleeping_server pick_first_unary custom_metadata
status_code_and_message special_status_message unimplemented_method unimplemented_service client_compressed_unary
server_compressed_unary client_compressed_streaming server_compressed_streaming rpc_soak channel_soak
""".split()


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    if not shutil.which("grpc_cpp_plugin") or subprocess.run(["pkg-config", "--exists", "grpc++"]).returncode:
        pytest.skip("needs Debian's libgrpc++-dev and protobuf-compiler-grpc")
    directory = tmp_path_factory.mktemp("interop-cpp")
    subprocess.run([str(ROOT / "Tests/interop-cpp/build"), str(directory)], check=True)
    return directory / "client"


@pytest.mark.parametrize("case", CASES)
def test_case(client, interop_server, case):
    arguments = [str(client), interop_server.address, case]
    if interop_server.certs:
        arguments += [str(interop_server.certs / name) for name in ("authority.pem", "edge-client.pem", "edge-client.key")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
