"""Trains the network on prepared data; the same command goes on after an interruption.

python -m pipelines.train --data=prepared/coco,prepared/voc --workdir=runs/first --preset=quick --set train.steps=1000
python -m pipelines.train --data=prepared/mine:3,prepared/coco --workdir=runs/second    (mine three times as often)
python -m pipelines.train --config=runs/first/config.json --workdir=runs/third                     (the first run again)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from absl import flags

from ifcn_tf.data.shares import folders_and_shares

from . import _cli, _run_settings

flags.adopt_module_key_flags(_run_settings)  # so that --help lists them
DATA = flags.DEFINE_list("data", [], "Prepared folders, each maybe with a :share, 1 if left out.")
WORKDIR = flags.DEFINE_string("workdir", "", "Folder of the run: checkpoints, weights, metrics.")
VALIDATION = flags.DEFINE_list("validation_data", [], "Prepared folders to measure AR on, at intervals.")
STEPS = flags.DEFINE_integer("steps", None, "Short for --set train.steps=N; 0 describes and times the run, and stops.")
WEIGHTS = flags.DEFINE_string(
    "weights", None, "Trained weights to start from, also of another k: a bundled model or a file."
)
BACKBONE = flags.DEFINE_string(
    "backbone_weights", "imagenet", "Without --weights: 'imagenet', or a file of the trunk's ImageNet weights."
)
PROFILE = flags.DEFINE_bool("profile", False, "Write a TensorBoard profile of steps 6 to 10 after the start.")
STRATEGY = flags.DEFINE_enum(
    "strategy", "auto", ["auto", "one_device", "mirrored", "multi_worker"], "Devices; multi_worker reads TF_CONFIG."
)


def main() -> int:
    """Flags -> configuration -> training."""
    steps = [] if STEPS.value is None else [f"train.steps={STEPS.value}"]
    config = _run_settings.run_config(steps)
    _read_as_before(_run_settings.places())
    data, shares = folders_and_shares(DATA.value)
    if _run_settings.printed(config, places=_places(data, shares)):
        return 0
    _run_settings.require(DATA, WORKDIR)
    workdir = Path(WORKDIR.value)
    print(f"training {config.train.steps} steps on {', '.join(DATA.value)} into {workdir}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.training.describe import describe
    from ifcn_tf.training.forecast import forecast
    from ifcn_tf.training.observers import Profile
    from ifcn_tf.training.run import Places, train_on_data
    from ifcn_tf.training.strategy import StrategyName, make_strategy, worker_addresses

    validation = [Path(folder) for folder in VALIDATION.value]
    places = Places(data, validation, workdir, WEIGHTS.value, BACKBONE.value, shares)
    if config.train.steps == 0:
        print(describe(config, data, shares), "timing a few steps", sep="\n", flush=True)
        alone = STRATEGY.value
        if alone == "multi_worker":
            alone = "auto"
            print(f"on this machine alone, of the {1 + len(worker_addresses()[1])} that TF_CONFIG lists", flush=True)
        print(forecast(_run_settings.run_config(), places, make_strategy(cast(StrategyName, alone))))
        return 0
    strategy = make_strategy(cast(StrategyName, STRATEGY.value))
    observers = [Profile(workdir / "tensorboard")] if PROFILE.value else []
    ending = train_on_data(config, places, strategy, observers)
    if ending.signal:
        state = f"after step {ending.step}, with a checkpoint" if ending.step else "before the first step"
        print(f"stopped {state}; the same command goes on from there")
        return 128 + ending.signal
    print(f"wrote {workdir / 'last' / 'model.weights.h5'}")
    return 0


def _places(data: Sequence[Path], shares: Sequence[int]) -> dict[str, Any]:
    """What the run reads, as its `config.json` says it."""
    return {
        "data": list(map(str, data)),
        "data_shares": list(shares),
        "validation_data": VALIDATION.value,
        "weights": WEIGHTS.value,
        "backbone_weights": BACKBONE.value,
    }


def _read_as_before(places: dict[str, Any]) -> None:
    """Gives flags that are not on the command line the values of an earlier run."""
    data = places.get("data", [])
    shares = places.get("data_shares") or [1] * len(data)
    texts = {**places, "data": [f"{folder}:{share}" for folder, share in zip(data, shares, strict=True)]}
    for name in ("data", "validation_data", "weights", "backbone_weights"):
        if texts.get(name):
            flags.FLAGS.set_default(name, texts[name])


if __name__ == "__main__":
    _cli.run(main)
