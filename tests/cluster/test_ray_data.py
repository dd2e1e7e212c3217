"""Proposals on a cluster of three machines, which are three nodes of Ray on this one."""

from __future__ import annotations

import os
import signal
import time
from importlib.util import find_spec

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.cluster import ClusterConfig
from ifcn_tf.results.output import Output
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
    return {path.name: path.read_bytes() for path in [*output.glob("p*.*"), *output.glob("parts/*.json")]}


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
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("parts/*.json")}
    again = start(photographs, tmp_path, where, "--resume")
    out, err = again.communicate(timeout=300)
    assert (again.returncode, f"{COUNT} of {COUNT + 1} image(s) done" in out) == (1, True), err
    assert results(tmp_path) == alone
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_actors_share_a_gpu(cluster, alone, photographs, tmp_path):
    node = cluster.add_node(num_cpus=1, num_gpus=1)
    cluster.wait_for_nodes()
    some = start(
        f"{photographs}/1?.png", tmp_path, f"--cluster={cluster.address}", "--actor_cpus=.5", "--actor_gpus=.5"
    )
    out, err = some.communicate(timeout=200)
    cluster.remove_node(node)
    assert (some.returncode, "10 of 10 image(s) done" in out) == (0, True), err
    assert all(alone[path.name] == path.read_bytes() for path in tmp_path.glob("parts/*.json"))


def test_a_cluster_of_this_machine_alone_does_not_ask_for_another(photographs, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[cluster]'")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    some = start(f"{photographs}/1?.png", tmp_path, "--cluster=local")
    out, err = some.communicate(timeout=200)
    assert (some.returncode, "10 of 10 image(s) done" in out) == (0, True), err


@pytest.mark.parametrize(
    ("flags", "said"),
    [(["--cluster=127.0.0.1:1"], "no Ray cluster"), (["--actor_cpus=2"], "no machine of the cluster has room")],
)
def test_a_run_that_cannot_begin_leaves_what_is_there(flags, said, cluster, nodes, photographs, tmp_path):
    """Each of two machines has one core."""
    part = tmp_path / "parts" / "1.json"
    part.parent.mkdir()
    part.write_text("[]")
    process = start(photographs, tmp_path, f"--cluster={cluster.address}", *flags)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1 and said in err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["parts"] and part.exists()


@pytest.mark.parametrize(
    ("ends", "said"),
    [(lambda: os.kill(os.getpid(), signal.SIGKILL), "died again and again"), (lambda: 1 / 0, "ZeroDivisionError")],
)
def test_a_predictor_that_always_fails_ends_the_run(ends, said, cluster, nodes, tmp_path):
    pytest.importorskip("ray")
    from ifcn_tf.cluster.ray_data import on_cluster

    def load():  # within the test, so that it is pickled as it stands
        class Failing:
            def propose_file(self, path):
                ends()

        return Failing()

    finish = on_cluster(load, ClusterConfig(cluster.address))
    with pytest.raises(UserError, match=said):
        list(finish([tmp_path / "any.png"], Output(tmp_path)))


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
