"""The README's first walk does what it says, line by line."""

import os
import re
import shutil
import subprocess

from conftest import ROOT
from fleet import binary, free_ports


def test_the_first_walk(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [walk] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    shutil.copytree(ROOT / "Regions", tmp_path / "Regions")
    # The binary is built already, and other ports than the README's may be free here.
    walk = walk.replace("swift build -c release && PATH=$PWD/.build/release:$PATH", "", 1)
    for port in ("7000", "7101"):
        other = str(free_ports(1)[0])
        assert f"127.0.0.1:{port}" in walk
        walk = walk.replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}")
        region = tmp_path / "Regions" / "north.yaml"
        region.write_text(region.read_text(encoding="utf-8").replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}"))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "marquee").symlink_to(binary())
    ends = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
    done = subprocess.run(["bash", "-c", ends + walk], cwd=tmp_path, capture_output=True, text=True, timeout=180,
                          check=False, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    assert "swift build" not in walk, "the README's first line is another than this test knows"
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"snapshot 1 \(\w+\), north-1 in north", done.stdout), "Rank was answered:\n" + done.stdout
