"""The flags that say what computes, for commands that propose: TensorFlow from weights, others from a file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.bundled import quantized_model
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.loading import ENGINES, default_engine, load

from . import _classes, _cli, _network

if TYPE_CHECKING:
    from ifcn_tf.engines.predictor import EnginePredictor
    from ifcn_tf.predictor import Predictor

ONNX = flags.DEFINE_string("onnx", None, "Instead of --model: a file that `ifcn-tf export --format=onnx` wrote.")
LITERT = flags.DEFINE_string("litert", None, "Instead of --model: a file that `ifcn-tf export --format=litert` wrote.")
ENGINE = flags.DEFINE_enum(
    "engine", "auto", ENGINES, "What computes; openvino, or onnxruntime with --onnx, or litert with --litert."
)
#: What names a file in place of weights; one of them at most.
FILES = (ONNX, LITERT)

#: Flags of `_network` that go with a file.
_WITH_FILE = (_network.MAX_PIXELS.name, _network.NUM_PROPOSALS.name, _network.PRECISION.name)


def predictor(start: ProposerConfig | None = None, **defaults: Any) -> Predictor | EnginePredictor:
    """What the flags ask for (`recipe`); raises UserError on a wrong flag."""
    return recipe(start, **defaults)()


def recipe(start: ProposerConfig | None = None, **defaults: Any) -> Callable[[], Predictor | EnginePredictor]:
    """What makes a predictor as the flags ask for, here or, pickled, elsewhere.

    Flags change single fields of `start`; what is not given is as in `defaults`. Raises UserError on a wrong one.
    """
    if _is_any(start):
        flags.FLAGS.set_default(ENGINE.name, default_engine()[0])  # so that a run says which it was
    file = _file()
    if file and _classes.CLASSIFY.value:
        raise UserError(f"--{file[0]} gives no names: leave --classify out, or give weights instead of the file.")
    arguments = _of_file(*file, start) if file else _network.arguments(start)
    if _classes.CLASSIFY.value:
        arguments["classes"] = _classes.CLASSIFY.value
    if not file:
        _cli.import_tensorflow()
    settings = {**defaults, **arguments}
    return functools.partial(load, engine=ENGINE.value, max_pixels=_network.MAX_PIXELS.value, **settings)


def _file() -> tuple[str, str] | None:
    """The flag that names a file, and the file; None for weights. OpenVINO has one that is bundled."""
    for flag in FILES:
        if flag.value:
            return flag.name, flag.value
    if ENGINE.value == "openvino" and not any(flag.present for flag in _network.NAMING):
        return ENGINE.name, str(quantized_model())
    return None


def _is_any(start: ProposerConfig | None) -> bool:
    """Whether any engine will do: nothing is asked for but the default model, as it is."""
    asked = {*_network.given(), *(flag.name for flag in (*FILES, _classes.CLASSIFY) if flag.value)}
    return ENGINE.value == "auto" and not start and not asked - {_network.MAX_PIXELS.name, _network.NUM_PROPOSALS.name}


def _of_file(name: str, path: str, start: ProposerConfig | None) -> dict[str, Any]:
    others = [*_network.given(), *(flag.name for flag in FILES if flag.value and flag.name != name)]
    if fixed := [other for other in others if other not in _WITH_FILE]:
        raise UserError(f"--{name} has its own {fixed[0]}, fixed when it was exported: leave --{fixed[0]} out.")
    count = _network.NUM_PROPOSALS.value
    if count is None and start:
        count = start.num_proposals
    counted = {} if count is None else {"num_proposals": count}
    return {"weights": path, "precision": _network.PRECISION.value, **counted}
