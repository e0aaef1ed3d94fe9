"""A Marquee fleet of separate processes on loopback, with mutual TLS: for the demo, the benchmarks and the tests.

Only the standard library; everything goes through the `marquee` binary, as an operator would.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def binary() -> str:
    """The built `marquee`: $MARQUEE, else the release build, else the debug build."""
    candidates = [os.environ.get("MARQUEE", ""), str(ROOT / ".build/release/marquee"), str(ROOT / ".build/debug/marquee")]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise SystemExit("no marquee binary: run `swift build -c release`, or set MARQUEE to one")


def free_ports(count: int) -> list:
    """Ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def give_way():
    """This process runs only when no other wants to."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


class CommandFailed(Exception):
    """A command of ours that did not exit 0."""

    def __init__(self, arguments, code, output):
        super().__init__(f"marquee {' '.join(arguments)} exited {code}:\n{output.strip()}")
        self.code = code
        self.output = output


class Fleet:
    """One control node, regions of replicas, their keys, certificates, data and logs, under one directory."""

    def __init__(self, directory, regions=("north", "south"), replicas=2, gives_way=False):
        """With `gives_way` the control node and operators' commands run only when nothing else wants to, for measurements
        of replicas beside them."""
        self.lowered = {"preexec_fn": give_way} if gives_way else {}
        self.directory = pathlib.Path(directory).resolve()
        self.binary = binary()
        self.certs = self.directory / "certs"
        self.key = self.directory / "signing.key"
        self.library = self.directory / "library"
        self.fleet_file = self.directory / "fleet.yaml"
        self.processes = {}
        self.replicas = {}
        self.regions = list(regions)
        ports = free_ports(1 + len(regions) * replicas)
        self.control = f"127.0.0.1:{ports[0]}"
        rest = iter(ports[1:])
        for region in regions:
            for number in range(1, replicas + 1):
                self.replicas[f"{region}-{number}"] = (region, f"127.0.0.1:{next(rest)}")

    # --- setting up

    def set_up(self, signing_key=None):
        """Certificates by role, a signing key (or one that there is), and the fleet's file."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.run("certs", "development", "--out", str(self.certs))
        if signing_key:
            self.key = pathlib.Path(signing_key)
            report = self.json("keys", "show", str(self.key))
        else:
            report = self.json("keys", "generate", str(self.key))
        lines = ["version: 1", f'trusted_keys: ["{report["public_key"]}"]', "regions:"]
        for region in self.regions:
            addresses = [f'"{address}"' for home, address in self.replicas.values() if home == region]
            lines += [f"  - name: {region}", f"    replicas: [{', '.join(addresses)}]",
                      f"    fallbacks: [{', '.join(other for other in self.regions if other != region)}]"]
        self.fleet_file.write_text("\n".join(lines) + "\n")

    # --- processes

    def start_control(self, *extra):
        self.start("control", "control", "--fleet", str(self.fleet_file), "--data", str(self.directory / "control"),
                   "--listen", self.control, "--certs", str(self.certs), *extra, **self.lowered)

    def start_replica(self, name, *extra):
        region, address = self.replicas[name]
        self.start(name, "edge", "--listen", address, "--fleet", str(self.fleet_file), "--region", region, "--replica", name,
                   "--data", str(self.directory / name), "--control", self.control, "--certs", str(self.certs), *extra)

    def start(self, name, *arguments, **options):
        log = open(self.directory / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [self.binary, *arguments], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True, **options)
        log.close()

    def signal(self, name, number):
        self.processes[name].send_signal(number)

    def wait_stopped(self, name):
        """Waits until SIGSTOP has stopped every thread of the process."""
        self.wait_for(f"{name} to stop", lambda: all(
            (task / "stat").read_text().rsplit(")", 1)[1].split()[0] in "Tt"
            for task in pathlib.Path(f"/proc/{self.processes[name].pid}/task").iterdir()), 10)

    def kill(self, name):
        """kill -9, and gone."""
        process = self.processes.pop(name, None)
        if process:
            process.kill()
            process.wait()

    def stop(self, name, timeout=15):
        """SIGTERM, and the exit code. A process that doesn't end in time is killed, and that is an error."""
        process = self.processes.pop(name, None)
        if not process:
            return 0
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired as late:
            process.kill()
            process.wait()
            raise RuntimeError(f"{name} did not end within {timeout} s of SIGTERM") from late

    def close(self):
        for name in list(self.processes):
            process = self.processes[name]
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for name in list(self.processes):
            try:
                self.processes[name].wait(10)
            except subprocess.TimeoutExpired:
                self.processes[name].kill()
                self.processes[name].wait()
        self.processes.clear()

    def log(self, name):
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def resident_mb(self, name):
        for line in open(f"/proc/{self.processes[name].pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def anonymous_mb(self, name):
        """Memory of its own, without the mapped snapshots."""
        for line in open(f"/proc/{self.processes[name].pid}/status"):
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
        return 0.0

    def cpu_seconds(self, name):
        fields = open(f"/proc/{self.processes[name].pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # --- commands

    def run(self, *arguments, timeout=600, check=True, **options):
        """Runs a command; its standard output. Raises CommandFailed with everything it said."""
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, **options)
        if check and done.returncode != 0:
            raise CommandFailed(arguments, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def json(self, *arguments, timeout=600, **options):
        return json.loads(self.run(*arguments, "--json", timeout=timeout, **options))

    def operate(self, *arguments, timeout=600):
        """A command to the control node, as an operator."""
        return self.json(*arguments, "--control", self.control, "--certs", str(self.certs), timeout=timeout,
                         **self.lowered)

    def publish(self, sequence, *extra, timeout=600):
        return self.operate("publish", "--library", str(self.library), "--key", str(self.key), "--sequence",
                            str(sequence), *extra, timeout=timeout)

    def status(self):
        return self.operate("status")

    def spawn(self, *arguments, **options):
        """Starts a command; its JSON is read by `finish`."""
        return subprocess.Popen([self.binary, *arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, stdin=subprocess.DEVNULL, **options)

    def finish(self, process, timeout=120):
        out, err = process.communicate(timeout=timeout)
        if process.returncode != 0:
            raise CommandFailed(process.args[1:], process.returncode, out + err)
        return json.loads(out)

    # --- waiting

    def wait_for(self, what, condition, timeout=60):
        """Waits until `condition()` is true; an error that says what did not come, with the logs' ends."""
        end = time.monotonic() + timeout
        last = None
        while time.monotonic() < end:
            try:
                value = condition()
                if value:
                    return value
            except (CommandFailed, subprocess.TimeoutExpired) as error:
                last = error
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode} while waiting for {what}:\n"
                                       + self.log(name)[-3000:])
            time.sleep(0.05)
        logs = "\n".join(f"--- {name}\n{self.log(name)[-1500:]}" for name in self.processes)
        raise RuntimeError(f"waited {timeout} s for {what}; last: {last}\n{logs}")

    def wait_serving(self, sequence, replicas=None, timeout=120):
        """Waits until these replicas (all of them, if not said) serve the sequence."""
        names = set(replicas or self.replicas)

        def served():
            serving = {r["name"]: r["status"]["serving"] for region in self.status()["regions"]
                       for r in region["replicas"] if r["is_connected"]}
            return all(serving.get(name) == sequence for name in names)

        self.wait_for(f"sequence {sequence} on {', '.join(sorted(names))}", served, timeout)

    def wait_connected(self, timeout=60):
        def connected():
            names = {r["name"] for region in self.status()["regions"] for r in region["replicas"] if r["is_connected"]}
            return names >= set(self.replicas) & set(self.processes)

        self.wait_for("the replicas to follow the control node", connected, timeout)

    def address(self, name):
        return self.replicas[name][1]


def fresh(directory) -> pathlib.Path:
    path = pathlib.Path(directory)
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path
