"""Eight threads with one predictor: each photograph gets what it gets alone."""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.torture.kinds import KINDS

_THREADS = 8


def campaign(engine: str, count: int, seed: int, folder: Path) -> Iterator[str]:
    """Proposes for `count` photographs of random sizes, with eight threads and with one; yields what differs."""
    from tests.support.exported import scene

    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    predictor = ENGINES[engine](folder)
    images = [scene(number, tuple(random.integers(20, 160, 2).tolist())) for number in range(count)]
    expected = [predictor.propose(image) for image in images]
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(predictor.propose, images))
    for number, (alone, together) in enumerate(zip(expected, found, strict=True)):
        if alone.scores.tolist() != together.scores.tolist() or alone.rles != together.rles:
            yield f"{engine}: photograph {number} of {images[number].shape} px gets others than alone"


def _tensorflow(folder: Path) -> Any:
    import ifcn_tf

    KINDS["weights"]().make(folder)
    return ifcn_tf.load(weights=folder / "run" / "model.weights.h5")


def _file(kind: str, folder: Path) -> Any:
    import ifcn_tf

    KINDS[kind]().make(folder)
    return ifcn_tf.load(folder / f"model.{kind}")


def _openvino(folder: Path) -> Any:
    from ifcn_tf.engines.openvino_predictor import OpenvinoPredictor

    KINDS["onnx"]().make(folder)
    return OpenvinoPredictor(folder / "model.onnx")


def _saved_model(folder: Path) -> Any:
    import ifcn_tf
    from tests.support.exported import model_folder

    return ifcn_tf.load_saved_model(model_folder())


ENGINES: dict[str, Callable[[Path], Any]] = {
    "tensorflow": _tensorflow,
    "saved_model": _saved_model,
    "openvino": _openvino,
    "onnxruntime": functools.partial(_file, "onnx"),
    "litert": functools.partial(_file, "tflite"),
}
