"""Data that a cluster prepares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def prepare(output, *more):
    line = [sys.executable, "-m", "pipelines.prepare_data", "--source=shapes", "--count=30", "--num_shards=3"]
    done = subprocess.run([*line, f"--output={output}", *more], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in output.iterdir()}


def test_shards_are_those_of_one_machine(cluster, nodes, tmp_path):
    alone = prepare(tmp_path / "alone" / "data", "--workers=1")
    assert prepare(tmp_path / "together" / "data", "--workers=2", f"--cluster={cluster.address}") == alone
