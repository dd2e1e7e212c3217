"""What a run leaves for TensorBoard, as TensorBoard shows it."""

from __future__ import annotations

import gzip
import json
import urllib.request

from tensorboard import default, program

from ifcn_tf.training.loop import train
from ifcn_tf.training.observers import Profile
from tests.support.narrow_run import narrow_config, trainer_of


def answers(folder, *paths):
    """What TensorBoard answers, with the plug-ins that are installed."""
    board = program.TensorBoard(default.get_plugins())
    board.configure(argv=["", f"--logdir={folder}", "--host=127.0.0.1", "--port=0"])
    address = board.launch()
    for path in paths:
        with urllib.request.urlopen(f"{address}data/plugin/{path}") as answer:
            content = answer.read()
        yield json.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)


def test_tensorboard_shows_scalars_and_the_profile(tmp_path):
    folder = tmp_path / "tensorboard"
    train(trainer_of(narrow_config(12), tmp_path), tmp_path, {}, [Profile(folder)])
    (profile,) = (folder / "plugins" / "profile").iterdir()
    tags, runs, tools = answers(folder, "scalars/tags", "profile/runs", f"profile/run_tools?run={profile.name}")
    assert {"loss", "objectness_loss", "mask_loss", "images_per_second"} <= set(tags["."])
    assert runs == [profile.name]
    assert any(tool.startswith("trace_viewer") for tool in tools)
