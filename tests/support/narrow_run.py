"""A small training run as a process of its own, to be killed or to be one of several workers.

python -m tests.support.narrow_run WORKDIR STEPS STRATEGY IMAGES_PER_STEP CHECKPOINT_EVERY [KEY=VALUE ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

from ifcn_tf.config.presets import RunConfig, with_settings
from ifcn_tf.config.training import TrainConfig
from ifcn_tf.training.loop import train
from ifcn_tf.training.strategy import make_strategy
from ifcn_tf.training.trainer import Trainer
from ifcn_tf.training.workdir import open_workdir, run_record
from tests.support.generated_examples import generated_examples
from tests.support.tiny import TINY


def narrow_config(steps: int, images_per_step: int = 2, checkpoint_every: int = 5, **train) -> RunConfig:
    settings = {"precision": "float32", "log_every": 1, "learning_rates": (0.002, 0.001), "boundaries": (20,), **train}
    return RunConfig(
        model=TINY,
        train=TrainConfig(steps=steps, images_per_step=images_per_step, checkpoint_every=checkpoint_every, **settings),
    )


def trainer_of(config: RunConfig, workdir: Path, examples=generated_examples, strategy="one_device") -> Trainer:
    return Trainer(config, examples, workdir, make_strategy(strategy), initialize=lambda network: None)


def run(workdir: Path, config: RunConfig, strategy: str = "one_device") -> int | None:
    devices = make_strategy(strategy)
    record = run_record(config, devices, {})
    open_workdir(workdir, record)
    trainer = Trainer(config, generated_examples, workdir, devices, initialize=lambda network: None)
    return train(trainer, workdir, record)


def main() -> None:
    workdir, steps, strategy, images, every, *settings = sys.argv[1:]
    config = with_settings(narrow_config(int(steps), int(images), int(every)), settings)
    if strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    sys.exit(128 + (run(Path(workdir), config, strategy) or -128))


if __name__ == "__main__":
    main()
