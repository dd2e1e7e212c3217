"""Measures speed and memory on this machine; prints one JSON line a figure.

python -m pipelines.benchmark --what=inference
python -m pipelines.benchmark --what=data --data=prepared/coco
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.bundled import SAMPLE, quantized_model

from . import _classes, _cli, _network

flags.adopt_module_key_flags(_classes)  # so that --help lists them
flags.adopt_module_key_flags(_network)
WHAT = flags.DEFINE_enum(
    "what",
    None,
    ["inference", "models", "engines", "peers", "start", "classify", "train", "data", "evaluate", "serving", "page"],
    "What to measure.",
    required=True,
)
IMAGE = flags.DEFINE_string("image", str(SAMPLE), "All but train, data, evaluate: photograph to measure on.")
ONNX = flags.DEFINE_string("onnx", None, "engines, peers, start: a file that `ifcn-tf export --format=onnx` wrote.")
LITERT = flags.DEFINE_string("litert", None, "engines, start: likewise one of --format=litert; may be left out.")
DATA = flags.DEFINE_list("data", [], "data: folders that `ifcn-tf prepare-data` wrote.")
ROUNDS = flags.DEFINE_integer(
    "rounds", 10, "all but data and evaluate: times everything is timed; medians are printed.", 1
)
SIZES = flags.DEFINE_integer("sizes", 300, "start: images of random sizes, for the memory.", 1)
REQUESTS = flags.DEFINE_integer("requests", 500, "serving: photographs of random sizes, for the memory rows.", 0)


def inference() -> Iterator[dict[str, Any]]:
    """From encoded bytes to run lengths, beside the bare network."""
    from ifcn_tf.benchmarks.inference import run
    from ifcn_tf.proposing.network import load_network

    _cli.bound_memory()
    return run(*load_network(**_network.arguments()), Path(IMAGE.value), ROUNDS.value)


def models() -> Iterator[dict[str, Any]]:
    """The bundled models beside each other."""
    from ifcn_tf.benchmarks.models import run

    _cli.bound_memory()
    return run(Path(IMAGE.value), _network.arguments()["precision"], ROUNDS.value)


def engines() -> Iterator[dict[str, Any]]:
    """TensorFlow beside those that are installed of the others, with the settings of --onnx."""
    from ifcn_tf.benchmarks.engines import run

    _cli.bound_memory()
    return run(Path(IMAGE.value), _files(), _network.arguments()["weights"], ROUNDS.value)


def peers() -> Iterator[dict[str, Any]]:
    """The default model, of which --onnx is, beside YOLOv8s-seg and MobileSAM."""
    from ifcn_tf.benchmarks.peers import run

    _cli.bound_memory()
    return run(Path(IMAGE.value), [_files()[0], quantized_model()], ROUNDS.value)


def start() -> Iterator[dict[str, Any]]:
    """From the start of a process to its first masks, and its memory, with each engine."""
    from ifcn_tf.benchmarks.start import run

    _cli.bound_memory()
    return run(Path(IMAGE.value), _files(), _network.arguments()["weights"], SIZES.value)


def _files() -> list[Path]:
    """The exported files, of which an ONNX file is needed."""
    if not ONNX.value:
        name = WHAT.value
        raise UserError(f"--what={name} needs --onnx, a file of `ifcn-tf export --format=onnx` of the same weights.")
    return [Path(value) for value in (ONNX.value, LITERT.value) if value]


def classify() -> Iterator[dict[str, Any]]:
    """Naming proposals beside proposing them."""
    from ifcn_tf.benchmarks.classify import run
    from ifcn_tf.proposing.network import load_network

    if not _classes.CLASSIFY.value:
        raise UserError("--what=classify needs --classify, the weights of a mask classifier.")
    _cli.bound_memory()
    network, config = load_network(**_network.arguments())
    return run(network, config, _classes.CLASSIFY.value, Path(IMAGE.value), ROUNDS.value)


def train() -> Iterator[dict[str, Any]]:
    """An update of all weights, beside the bare network's forward and backward pass."""
    from ifcn_tf.benchmarks.train import run

    arguments = _network.arguments()
    return run(arguments["precision"], ROUNDS.value, arguments["backbone_weights"])


def data() -> Iterator[dict[str, Any]]:
    """Training examples and preparing."""
    from ifcn_tf.benchmarks.data import run

    if not DATA.value:
        raise UserError("--what=data needs --data, a folder that `ifcn-tf prepare-data` wrote.")
    return run([Path(folder) for folder in DATA.value])


def evaluate() -> Iterator[dict[str, Any]]:
    """The fast backend against the reference, and reading a long file."""
    from ifcn_tf.benchmarks.evaluate import run

    return run()


def serving() -> Iterator[dict[str, Any]]:
    """An exported model beside the proposer it was made of."""
    from ifcn_tf.benchmarks.serving import run
    from ifcn_tf.proposing.network import load_network

    _cli.bound_memory()
    return run(*load_network(**_network.arguments()), Path(IMAGE.value), ROUNDS.value, REQUESTS.value)


def page() -> Iterator[dict[str, Any]]:
    """A visitor's wait for masks, in a browser."""
    from ifcn_tf.benchmarks.page import run
    from ifcn_tf.predictor import load

    _cli.bound_memory()
    return run(load(**{"num_proposals": 200} | _network.arguments()), Path(IMAGE.value), ROUNDS.value)


_ALL = (inference, models, engines, peers, start, classify, train, data, evaluate, serving, page)
MEASUREMENTS = {function.__name__: function for function in _ALL}


def main() -> None:
    """Flags -> rows."""
    _cli.import_tensorflow()
    for row in MEASUREMENTS[WHAT.value]():
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    _cli.run(main)
