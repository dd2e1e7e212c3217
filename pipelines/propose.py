"""Proposes the objects of photographs: masks as COCO results, and a picture of each image.

python -m pipelines.propose photo.jpg
python -m pipelines.propose --images=photos/ --output=masks
python -m pipelines.propose --onnx=ifcn.onnx photo.jpg                     (without TensorFlow)
python -m pipelines.propose --classify=classifier/model.weights.h5 photo.jpg           (with the names of classes)
python -m pipelines.propose --cluster=auto --images=/shared/photos --output=/shared/masks     (on many machines)
python -m pipelines.propose --config=masks/run.json --output=again        (the same once more)
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.images.bucket import is_address
from ifcn_tf.results.folder import find_images, run_settings
from ifcn_tf.results.formats.pictures import STYLES
from ifcn_tf.results.run_file import PLACES, RunFile, read_run_file

from . import _classes, _cli, _cluster, _engine, _images, _network

if TYPE_CHECKING:
    from ifcn_tf.predictor import Predictor

flags.adopt_module_key_flags(_classes)  # so that --help lists them
flags.adopt_module_key_flags(_cluster)
flags.adopt_module_key_flags(_engine)
flags.adopt_module_key_flags(_images)
flags.adopt_module_key_flags(_network)

SAVED_MODEL = flags.DEFINE_string("saved_model", None, "Instead of --model: a folder that `ifcn-tf export` wrote.")
CONFIG = flags.DEFINE_string(
    "config", None, "Settings to start from: a run.json, or a file like what --print_config prints, JSON or YAML."
)
PRINT = flags.DEFINE_bool("print_config", False, "Print all settings as JSON, as --config takes them, and stop.")

_NETWORK = (*_network.NAMING, SAVED_MODEL, *_engine.FILES)
_PATHS = {flag.name for flag in (_images.IMAGES, _network.WEIGHTS, _network.SCORES, SAVED_MODEL, *_engine.FILES)}
_PLACES = (_images.IMAGES, _network.MAX_PIXELS, _engine.ENGINE, _classes.CLASSIFY, *_NETWORK)


def main() -> int:
    """Flags -> predictor -> files."""
    _cli.bound_memory()
    start = read_run_file(Path(CONFIG.value)) if CONFIG.value else RunFile()
    if CONFIG.value:
        _start_from(start)
    paths = [] if PRINT.value else _images.found()
    if _network.BACKBONE.value:
        print("NOTE: the weights are untrained, so these masks mean nothing.", flush=True)
    load = _exported(SAVED_MODEL.value) if SAVED_MODEL.value else _engine.recipe(start.proposer)
    finish, predictor = _cluster.finish(load), load()
    places = {flag.name: _place(flag) for flag in _PLACES if flag.value is not None}
    if not PRINT.value:
        print(f"engine: {predictor.engine}", flush=True)
        return _images.propose(_images.prompted(predictor), paths, finish, places, start.shown)
    paths = find_images(*_images.IMAGES.value) if _images.IMAGES.value else []
    settings = run_settings(_images.prompted(predictor), paths, _images.output(start.shown))
    print(json.dumps({**settings, PLACES: places}, indent=2))
    return 0


def _start_from(run: RunFile) -> None:
    """Gives flags that are not on the command line the values of a run; raises UserError where they are of no use."""
    left_out = {flag.name for flag in _NETWORK} if any(flag.present for flag in _NETWORK) else set()
    left_out |= {_images.IMAGES.name} if _images.IMAGES.value else set()
    values = {
        **{name: value for name, value in run.places.items() if name not in left_out},
        "precision": run.precision,
        "distinct": run.shown.count,
        "min_score": run.shown.min_score,
        "point": list(map(str, run.prompt.point)),
        "box": list(map(str, run.prompt.box_yxyx)),
        "overlay": next((STYLES[name] for name in run.formats if name in STYLES), "none"),
        "format": [name for name in run.formats if name not in STYLES],
        "simplify": run.simplify,
    }
    for name, value in values.items():
        try:
            flags.FLAGS.set_default(name, value)
        except flags.Error as error:
            raise UserError(f"{CONFIG.value}: {' '.join(str(error).split())}.") from error


def _place(flag: flags.FlagHolder[Any]) -> Any:
    """The value of a flag as any folder understands it."""
    if flag.name not in _PATHS:
        return flag.value
    return [_absolute(value) for value in flag.value] if isinstance(flag.value, list) else _absolute(flag.value)


def _absolute(place: str) -> str:
    return place if is_address(place) else str(Path(place).absolute())


def _exported(folder: str) -> Callable[[], Predictor]:
    fixed = [
        *_network.given(),
        *(flag.name for flag in (_engine.ENGINE, *_engine.FILES, _classes.CLASSIFY) if flag.present),
    ]
    if fixed:
        raise UserError(f"--saved_model has its own {fixed[0]}, fixed when it was exported: leave --{fixed[0]} out.")
    _cli.import_tensorflow()
    from ifcn_tf.predictor import load_saved_model

    return functools.partial(load_saved_model, folder)


if __name__ == "__main__":
    _cli.run(main, _images.IMAGES)
