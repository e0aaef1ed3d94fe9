"""The servers of the RPC benchmark: how each is built, started and looked at."""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

from figures import ROOT, progress

HERE = pathlib.Path(__file__).resolve().parent
PROTO = "marquee/v1/ranking.proto"
SUBJECTS = {
    "marquee": ("marquee", ["straight"]),
    "marquee-protobuf-c": ("marquee", ["protobuf-c"]),
    "marquee-pool": ("marquee", ["pool"]),
    "c-nghttp2": ("c", []),
    "grpc-cpp": ("cpp", []),
    "grpc-swift-2": ("swift", []),
}
PACKAGES = {
    "marquee": [],
    "c": ["gcc", "libnghttp2-dev", "libssl-dev", "libprotobuf-c-dev", "pkg-config"],
    "cpp": ["g++", "libgrpc++-dev", "libprotobuf-dev", "protobuf-compiler", "protobuf-compiler-grpc", "pkg-config"],
    "swift": ["protobuf-compiler"],
}


class Builder:
    def __init__(self, folder):
        self.folder = folder
        self.commands = {}

    def build(self, names):
        self.folder.mkdir(parents=True, exist_ok=True)
        kinds = {SUBJECTS[name][0] for name in names}
        for kind in sorted(kinds):
            install(PACKAGES[kind], f"the servers {', '.join(n for n in names if SUBJECTS[n][0] == kind)}")
        install(["nghttp2-client", "gcc", "openssl"], "h2load, the counting malloc and a certificate")
        self.make_certificate()
        self.make_counter()
        for kind in sorted(kinds):
            self.commands[kind] = getattr(self, f"build_{kind}")()

    def version(self, name):
        kind = SUBJECTS[name][0]
        if kind == "marquee":
            return None
        if kind == "swift":
            manifest = (HERE / "grpc-swift-server/Package.swift").read_text()
            return re.search(r'grpc-swift-2", exact: "([^"]+)"', manifest)[1]
        return output("pkg-config", "--modversion", {"c": "libnghttp2", "cpp": "grpc++"}[kind]).strip()

    def start(self, name, is_tls, core, counts=False):
        kind, mode = SUBJECTS[name]
        files = [str(self.folder / "certificate.pem"), str(self.folder / "key.pem")] if is_tls else []
        environment = dict(os.environ)
        counter = None
        if counts:
            counter = self.folder / f"allocations-{os.getpid()}"
            counter.write_bytes(bytes(8))
            environment |= {"LD_PRELOAD": str(self.folder / "allocations.so"), "ALLOCATIONS": str(counter)}
        port = free_port()
        return Server(name, port, ["taskset", "-c", str(core), str(self.commands[kind]), str(port), *mode, *files],
                      environment, counter)

    # Each answers the program's path.

    def build_marquee(self):
        progress("building Marquee's server")
        run("swift", "build", "-c", "release", "--product", "rpc-bench-server", cwd=ROOT)
        products = output("swift", "build", "-c", "release", "--show-bin-path", cwd=ROOT)
        return pathlib.Path(products.strip()) / "rpc-bench-server"

    def build_c(self):
        messages = ROOT / "Sources/CMessages"
        sources = [HERE / "nghttp2-server.c", messages / "marquee_v1_ranking.pb-c.c"]

        def compile(target):
            libraries = output("pkg-config", "--cflags", "--libs", "libnghttp2", "openssl", "libprotobuf-c").split()
            run("gcc", "-O2", f"-I{messages / 'include'}", *map(str, sources), "-o", str(target), *libraries)
        return self.made("nghttp2-server", sources, compile)

    def build_cpp(self):
        def compile(target):
            generated = self.folder / "cpp"
            generated.mkdir(exist_ok=True)
            plugin = shutil.which("grpc_cpp_plugin")
            run("protoc", f"-I{ROOT / 'Protos'}", f"--cpp_out={generated}", f"--grpc_out={generated}",
                f"--plugin=protoc-gen-grpc={plugin}", PROTO)
            libraries = output("pkg-config", "--cflags", "--libs", "grpc++", "protobuf").split()
            run("g++", "-O2", "-std=c++17", f"-I{generated}", str(HERE / "grpc-server.cc"),
                *map(str, sorted(generated.rglob("*.cc"))), "-o", str(target), *libraries)
        return self.made("grpc-server", [HERE / "grpc-server.cc", ROOT / "Protos" / PROTO], compile)

    def build_swift(self):
        source, package = HERE / "grpc-swift-server", self.folder / "grpc-swift-server"
        sources = [source / "Package.swift", *sorted((source / "Sources").rglob("*.swift"))]

        def compile(target):
            progress("building grpc-swift-2 with its BoringSSL: a quarter of an hour the first time")
            shutil.copytree(source, package, dirs_exist_ok=True)
            build = ["swift", "build", "-c", "release", "--package-path", str(package), "--product"]
            run(*build, "protoc-gen-swift")
            products = pathlib.Path(output(*build[:-1], "--show-bin-path").strip())
            run("protoc", f"-I{ROOT / 'Protos'}", f"--plugin={products / 'protoc-gen-swift'}",
                f"--swift_out={package / 'Sources/server'}", "--swift_opt=FileNaming=DropPath", PROTO)
            run(*build, "server")
            shutil.copy2(products / "server", target)
        return self.made("grpc-swift", [*sources, ROOT / "Protos" / PROTO], compile)

    def make_counter(self):
        self.made("allocations.so", [HERE / "allocations.c"], lambda target: run(
            "gcc", "-O2", "-shared", "-fPIC", str(HERE / "allocations.c"), "-o", str(target)))

    def make_certificate(self):
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        if certificate.exists() and certificate.stat().st_mtime > time.time() - 300 * 86_400:
            return
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            str(key), "-out", str(certificate), "-days", "365", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1")
        key.chmod(0o600)

    def made(self, name, sources, compile):
        """The file `name`, compiled again when its sources are other ones."""
        target, stamp = self.folder / name, self.folder / f"{name}.sources"
        wanted = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sources)).hexdigest()
        if not target.exists() or not stamp.exists() or stamp.read_text() != wanted:
            progress(f"building {name}")
            stamp.unlink(missing_ok=True)
            compile(target)
            stamp.write_text(wanted)
        return target


class Server:
    """A server's process, from start to end."""

    def __init__(self, name, port, command, environment, counter):
        self.name, self.port, self.counter = name, port, counter
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"{name} did not start: {self.process.stderr.read().decode()[-1000:]}") from None
                time.sleep(0.02)

    def cpu_seconds(self):
        """All threads, user and system: the process's own clock, to the nanosecond."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def resident_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def allocations(self):
        return struct.unpack("=Q", self.counter.read_bytes())[0]

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.counter:
            self.counter.unlink(missing_ok=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def install(packages, purpose):
    """Debian's packages that are not there yet."""
    missing = [package for package in packages if "ok installed" not in output(
        "dpkg-query", "-W", "-f=${Status}", package, is_strict=False)]
    if not missing:
        return
    progress(f"installing {', '.join(missing)} for {purpose}")
    root = [] if os.geteuid() == 0 else ["sudo"]
    try:
        run(*root, "apt-get", "update", "-q")
        run(*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy", "--no-install-recommends",
            *missing)
    except (RuntimeError, OSError) as error:
        raise RuntimeError(f"{purpose} need the Debian packages {' '.join(missing)}, and they can't be installed here: "
                           f"install them, or measure the others with --only ({error})") from None


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} failed:\n{done.stdout[-3000:]}")


def output(*command, cwd=None, is_strict=True):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if is_strict and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} failed:\n{done.stderr[-3000:]}")
    return done.stdout
