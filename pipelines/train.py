"""Trains the network on prepared data; the same command goes on after an interruption.

python -m pipelines.train --data=DIR[,DIR] --workdir=DIR --preset=quick --set train.steps=1000
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import cast

from absl import flags

from ifcn_tf.presets import PRESETS, with_settings
from pipelines import _cli

DATA = flags.DEFINE_list("data", None, "Folders that pipelines.prepare_data wrote.", required=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints, weights, metrics.", required=True)
PRESET = flags.DEFINE_enum("preset", "paper", sorted(PRESETS), "Settings to start from.")
SET = flags.DEFINE_multi_string("set", [], "KEY=VALUE, changes a setting: train.steps=100. May be repeated.")
STEPS = flags.DEFINE_integer("steps", None, "Short for --set train.steps=N; 0 describes the run and stops.")
WEIGHTS = flags.DEFINE_string("weights", None, "Trained *.weights.h5 file to start from, also of another k.")
BACKBONE = flags.DEFINE_string("backbone_weights", "imagenet", "Without --weights: 'imagenet', or a file of VGG-16.")
STRATEGY = flags.DEFINE_enum(
    "strategy", "auto", ["auto", "one_device", "mirrored", "multi_worker"], "Devices; multi_worker reads TF_CONFIG."
)


def main() -> int:
    """Flags -> configuration -> training."""
    steps = [] if STEPS.value is None else [f"train.steps={STEPS.value}"]
    config = with_settings(PRESETS[PRESET.value], [*SET.value, *steps])
    workdir, data = Path(WORKDIR.value), [Path(folder) for folder in DATA.value]
    print(f"training {config.train.steps} steps on {', '.join(DATA.value)} into {workdir}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.data.pipeline import training_examples
    from ifcn_tf.training.loop import train
    from ifcn_tf.training.setup import first_weights, open_workdir, run_record
    from ifcn_tf.training.strategy import StrategyName, make_strategy
    from ifcn_tf.training.trainer import Trainer

    strategy = make_strategy(cast(StrategyName, STRATEGY.value))
    record = run_record(config)
    open_workdir(workdir, record)
    examples = functools.partial(training_examples, data, config.data, config.train.seed)
    initialize = functools.partial(first_weights, WEIGHTS.value, BACKBONE.value)
    trainer = Trainer(config, examples, workdir, strategy, initialize)
    received = train(trainer, workdir, record)
    if received:
        print(f"stopped after step {trainer.step}, with a checkpoint; the same command goes on from there")
        return 128 + received
    print(f"wrote {workdir / 'last' / 'model.weights.h5'}")
    return 0


if __name__ == "__main__":
    _cli.run(main)
