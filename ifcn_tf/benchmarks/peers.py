"""The default model beside peers that segment everything too, on the same cores in one run.

YOLOv8s-seg, the network of FastSAM-s, is measured without what follows it. So the default model has rows of its bare
network, trunk and branches, too: once at YOLO's own input, which compares network with network, and at all scales at
which it proposes. On OpenVINO the bare network is that part of the whole method's file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from ifcn_tf.benchmarks.inference import SIZE_HW, on_all_scales, resized
from ifcn_tf.benchmarks.timing import in_turn, median_ms, median_ratio
from ifcn_tf.common.pool import usable_cores
from ifcn_tf.config.bundled import MODELS
from ifcn_tf.config.network import Precision
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.onnx_parts import apart, model_of, onnx
from ifcn_tf.engines.openvino_predictor import (
    RUNTIME,
    OpenvinoPredictor,
    compiled,
    core,
    openvino,
    precision_of,
    read_network,
)
from ifcn_tf.images.tensors import read_image
from ifcn_tf.predictor import Predictor, load
from ifcn_tf.proposing.network import load_network, network_proposer

#: The photograph as FastSAM takes it, 1,024 px long; both sides are multiples of the network's stride, 32 px.
PEER_HW = (SIZE_HW[0] * 1024 // SIZE_HW[1], 1024)
ONE_SCALE = f"network, {PEER_HW[0]} x {PEER_HW[1]} px"
ALL_SCALES, WHOLE = "network, all scales", "from a file to run lengths"
DEFAULT, *_OTHERS = MODELS


class Step(NamedTuple):
    """What is timed."""

    model: str
    what: str
    engine: str


class Photograph(NamedTuple):
    """A photograph in the forms in which it is taken.

    Attributes:
        file: encoded.
        image: its pixels, uint8 [480, 640, 3], RGB.
        longer: at PEER_HW, float32 [1, 768, 1024, 3], in 0..255.
    """

    file: Path
    image: np.ndarray
    longer: np.ndarray


Steps = dict[Step, Callable[[], Any]]


def run(photograph: Path, files: Sequence[Path], rounds: int) -> Iterator[dict[str, Any]]:
    """Measures one 480 x 640 photograph.

    Args:
        photograph: resized to 480 x 640 and written as a JPEG.
        files: what `onnx_export` wrote of the default model, in float32 and in 8 bits. TensorFlow proposes with the
            settings of the first, and the other bundled models at its scales.
        rounds: how often everything is timed; medians are reported.

    Yields:
        See `rows`; YOLOv8s-seg on OpenVINO is the first.

    Raises:
        UserError: a package of the extra `peers` or `openvino` is not installed.
    """
    image = resized(read_image(photograph), SIZE_HW)
    with tempfile.TemporaryDirectory() as folder:
        given = Photograph(Path(folder) / "photograph.jpg", image, resized(image, PEER_HW)[None].astype(np.float32))
        Image.fromarray(image).save(given.file, quality=92)
        steps = _of_peers(given, Path(folder))
        predictors = [OpenvinoPredictor(file) for file in files]
        for predictor, file in zip(predictors, files, strict=True):
            steps |= on_openvino(predictor, file, given)
        config = predictors[0].config
        for precision in ("auto", "float32"):
            steps |= _on_tensorflow(precision, config, given)
            for name in _OTHERS:
                other = load(name, precision=precision, shorter_sides=config.shorter_sides)
                steps[Step(name, WHOLE, other.engine)] = partial(other.propose, given.file)
        yield from rows(in_turn(steps, rounds, warm_up=1))


def rows(seconds: Mapping[Step, Sequence[float]]) -> Iterator[dict[str, Any]]:
    """What was timed, as rows of JSON types.

    Each has the median time [ms], and the median ratio to the first within a round. Another model's also has that to
    the default model, where the same was timed of it on the same engine.
    """
    first = next(iter(seconds.values()))
    for step, values in seconds.items():
        same = step._replace(model=DEFAULT)
        beside = {"of_default": median_ratio(values, seconds[same])} if same in seconds and same != step else {}
        yield {**step._asdict(), "ms": median_ms(values), "ratio": median_ratio(values, first), **beside}


def _of_peers(photograph: Photograph, folder: Path) -> Steps:
    from ifcn_tf.benchmarks import torch_peers

    image = np.ascontiguousarray(photograph.longer.transpose(0, 3, 1, 2) / 255)
    network = compiled(core().read_model(torch_peers.export_yolo(PEER_HW, folder)), streams=1)
    encode, decode = torch_peers.mobile_sam(image)
    on_torch = torch_peers.take_cores()
    return {
        Step("YOLOv8s-seg", ONE_SCALE, _engine(network)): _inference(network, image),
        Step("YOLOv8s-seg", ONE_SCALE, on_torch): torch_peers.yolo(image),
        Step("MobileSAM", "encoder, 1024 x 1024 px", on_torch): encode,
        Step("MobileSAM", f"{torch_peers.POINTS_AT_ONCE} of 1,024 prompts", on_torch): decode,
    }


def on_openvino(predictor: OpenvinoPredictor, file: Path, photograph: Photograph) -> Steps:
    """The default model from a file and the predictor of this: bare network at one scale and at all, and the whole."""
    network = read_network(model_of(apart(onnx.load_model(file)).network).SerializeToString())
    network.reshape(photograph.longer.shape)  # YOLO's file is of one size, too
    scales, _ = predictor.seen(photograph.image)
    return {
        Step(DEFAULT, ONE_SCALE, predictor.engine): _inference(compiled(network, streams=1), photograph.longer),
        Step(DEFAULT, ALL_SCALES, predictor.engine): partial(predictor.features, scales),
        Step(DEFAULT, WHOLE, predictor.engine): partial(predictor.propose, photograph.file),
    }


def _on_tensorflow(precision: Precision, settings: ProposerConfig, photograph: Photograph) -> Steps:
    network, config = load_network(precision=precision, **settings.to_dict())
    predictor = Predictor.of_network(network, config)
    scales = [image for image, _ in tf.function(network_proposer(network, config).seen)(photograph.image)]
    return {
        Step(DEFAULT, ONE_SCALE, predictor.engine): on_all_scales(network.map_model, [photograph.longer]),
        Step(DEFAULT, ALL_SCALES, predictor.engine): on_all_scales(network.map_model, scales),
        Step(DEFAULT, WHOLE, predictor.engine): partial(predictor.propose, photograph.file),
    }


def _engine(network: openvino.CompiledModel) -> str:
    return f"{RUNTIME}, {precision_of(network)}, {usable_cores()} threads"


def _inference(network: openvino.CompiledModel, image: np.ndarray) -> Callable[[], Any]:
    request = network.create_infer_request()
    return lambda: request.infer([image], share_inputs=True, share_outputs=True)
