"""Trains the tests' own method on the tests' own trunk, as a process of its own that can be killed.

python -m tests.support.seam_run WORKDIR DATA STEPS WEIGHTS
"""

import sys
from pathlib import Path

from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import DataConfig, TrainConfig
from ifcn_tf.training.run import Ending, Places, train_on_data
from ifcn_tf.training.strategy import make_strategy
from tests.support.dots import DotsConfig
from tests.support.tiny import TINY


def seam_config(steps):
    return RunConfig(
        model=DotsConfig(trunk=TINY.trunk),
        data=DataConfig(shorter_sides=(119,), object_side=64.0, fitting_scales=1.0),
        train=TrainConfig(
            steps=steps, images_per_step=2, precision="float32", log_every=1, checkpoint_every=1, validate_every=3,
            pictures_every=2, validation_images=2, frozen_blocks=1,
        ),
        proposer=ProposerConfig(shorter_sides=(80, 119), num_proposals=30, nms_iou=0.5, mask_threshold=0.1),
    )  # fmt: skip


def run(workdir: Path, data: Path, steps: int, weights: Path) -> Ending:
    places = Places([data], [data], workdir, str(weights), "imagenet")
    return train_on_data(seam_config(steps), places, make_strategy("one_device"))


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
