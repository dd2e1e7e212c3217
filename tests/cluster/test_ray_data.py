"""Proposals on a cluster of three machines, which are three nodes of Ray on this one."""

from __future__ import annotations

import os
import signal
import time
from importlib.util import find_spec

import pytest

from tests.cluster.command import start
from tests.support.exported import encoded, scene

COUNT = 400


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(COUNT):
        (folder / f"{number}.png").write_bytes(encoded(scene(number, (30 + number % 7, 40)), "PNG"))
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:100])
    return folder


def results(output):
    return {path.name: path.read_bytes() for path in [*output.glob("p*.*"), *output.glob("parts/*")]}


@pytest.fixture(scope="module")
def alone(photographs, tmp_path_factory):
    """What one process writes."""
    output = tmp_path_factory.mktemp("alone")
    process = start(photographs, output)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, "cut.png" in out) == (1, True), err
    return results(output)


def test_the_files_are_those_of_one_process(cluster, nodes, alone, photographs, tmp_path):
    """Of a photograph that cannot be read, too, which is told and leaves no results."""
    process = start(photographs, tmp_path, f"--cluster={cluster.address}", "--images_per_task=4")
    out, err = process.communicate(timeout=200)
    assert process.returncode == 1, err
    assert f"{COUNT} of {COUNT + 1} image(s) done" in out and "failed: " in out and "cut.png" in out
    assert results(tmp_path) == alone


def test_a_node_that_fails_costs_time_alone(cluster, nodes, alone, photographs, tmp_path):
    process = start(photographs, tmp_path, f"--cluster={cluster.address}", "--images_per_task=4")
    wait_for_parts(process, tmp_path, 8)
    cluster.remove_node(nodes[0], allow_graceful=False)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, f"{COUNT} of {COUNT + 1} image(s) done" in out) == (1, True), err
    assert results(tmp_path) == alone


def test_a_driver_that_is_killed_and_started_again_does_the_rest(cluster, nodes, alone, photographs, tmp_path):
    where = f"--cluster={cluster.address}"
    process = start(photographs, tmp_path, where, "--images_per_task=4")
    wait_for_parts(process, tmp_path, 8)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("parts/*")}
    again = start(photographs, tmp_path, where, "--resume")
    out, err = again.communicate(timeout=300)
    assert (again.returncode, f"{COUNT} of {COUNT + 1} image(s) done" in out) == (1, True), err
    assert results(tmp_path) == alone
    assert {path: path.stat().st_mtime_ns for path in before} == before


def wait_for_parts(process, output, count):
    while process.poll() is None and len(list(output.glob("parts/*.json"))) < count:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--cluster=127.0.0.1:1"], "no Ray cluster at 127.0.0.1:1" if find_spec("ray") else "a cluster needs ray"),
        (["--cluster=auto", "--point=1,1"], "leave --cluster out"),
        (["--actors=2"], "--actors goes with --cluster"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(flags, said, photographs, tmp_path):
    process = start(photographs, tmp_path, *flags)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    last = err.splitlines()[-1]
    assert last.startswith("error: ") and said in last and "Traceback" not in err


def test_a_full_disk_of_an_actor_is_said_in_one_sentence(cluster, nodes, photographs, tmp_path):
    (tmp_path / "parts").write_text("no folder")
    process = start(photographs, tmp_path, f"--cluster={cluster.address}")
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1
    assert "cannot write" in err.splitlines()[-1] and "Traceback" not in err
