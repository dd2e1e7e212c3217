"""What a run leaves on disk to go on from, and the weights it produces."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

from ifcn_tf.common.files import UserError


class Checkpoints:
    """The state of a run, whole or absent whenever the process is killed.

    TensorFlow writes the files of a checkpoint under temporary names, then the file `checkpoint` that names them; the
    oldest is deleted after that. So a run that is killed, or whose disk is full, still has the one before.

    Args:
        folder: where the checkpoints are.
        state: what is saved and restored, by name; "step" among it, the updates made, an int64 variable.
        keep: how many are kept.
    """

    def __init__(self, folder: Path, state: dict[str, Any], keep: int) -> None:
        self._folder, self._step = folder, state["step"]
        self._checkpoint = tf.train.Checkpoint(**state)
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(folder), keep, checkpoint_name="step")

    def restore(self) -> int:
        """Restores the last checkpoint, if there is one.

        Returns:
            The number of updates made before it, 0 without a checkpoint.

        Raises:
            UserError: it cannot be read, or is of another network.
        """
        last = self._manager.latest_checkpoint
        if last is None:
            return 0
        try:
            self._checkpoint.restore(last).assert_consumed()
        except (tf.errors.OpError, AssertionError, ValueError) as error:
            raise UserError(
                f"cannot go on from {last}: {first_line(error)}; use another --workdir, or delete {self._folder}."
            ) from error
        return int(self._step.numpy())

    def save(self) -> None:
        """Writes a checkpoint of the present state; raises UserError when the disk does not take it."""
        step = int(self._step.numpy())
        try:
            self._manager.save(step)
        except (tf.errors.OpError, OSError) as error:
            self.remove_unfinished()
            raise UserError(
                f"cannot write the checkpoint of step {step} in {self._folder}: {first_line(error)}; free some space "
                "and start the same command again: it goes on from the checkpoint before."
            ) from error

    def remove_unfinished(self) -> None:
        """Deletes what a killed process left half-written."""
        known = {"checkpoint", *(Path(path).name for path in self._manager.checkpoints)}
        for path in self._folder.glob("*"):
            if path.name not in known and path.with_suffix("").name not in known:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its name when it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
