"""An exported model beside the proposer it was made of: speed, size of answers, start, memory."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from ifcn_tf.benchmarks.session import Arrays, Session
from ifcn_tf.benchmarks.timing import in_turn, median_ms, median_ratio, peak_gib, resident_gib
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.images.tensors import read_image
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.proposing.network import network_proposer
from ifcn_tf.saved_model.export import export
from ifcn_tf.saved_model.warm_up import REQUESTS

SIZE_HW = (480, 640)
#: Proposals of the answer whose size is reported.
_ANSWERED = 100
#: Sides of the photographs in the memory row, drawn at random [px].
_SIDES = (200, 640)
Row = dict[str, Any]


def run(network: WindowMethod, config: ProposerConfig, photograph: Path, rounds: int, requests: int) -> Iterator[Row]:
    """Measures one 480 x 640 photograph, then `requests` of random sizes.

    Args:
        network: trained.
        config: how it proposes.
        photograph: resized to 480 x 640 and encoded as a JPEG.
        rounds: how often everything is timed; medians are reported.
        requests: photographs sent one after the other for the memory rows.

    Yields:
        Rows of JSON types: start and first answer, bytes in to arrays out beside the proposer, sizes [bytes], memory.
    """
    image = read_image(photograph)
    encoded = _encoded(image, SIZE_HW)
    with tempfile.TemporaryDirectory() as folder:
        version = export(network, config, Path(folder))
        yield from _start(version, encoded)
        session, reloaded = Session(version), tf.saved_model.load(str(version))
        graph = network_proposer(network, config).compile()
        yield _times(graph, reloaded, session, encoded, rounds)
        yield _sizes(session(image_bytes=[encoded]))
        # In a process of its own, which holds nothing else.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            yield from process.submit(_memory, version, image, requests).result()


def _start(version: Path, encoded: bytes) -> Iterator[Row]:
    """A server's start: loading, warm-up requests, first answer; and the first answer of a model that is not warm."""
    for warm in (False, True):
        begin = time.perf_counter()
        session = Session(version)
        loaded = time.perf_counter()
        if warm:
            for record in tf.data.TFRecordDataset(str(version / REQUESTS)):
                session.predict(PredictionLog.FromString(record.numpy()).predict_log.request)
        ready = time.perf_counter()
        session(image_bytes=[encoded])
        answered = time.perf_counter()
        yield {
            "start": "with warm-up" if warm else "without warm-up",
            "load_s": round(loaded - begin, 2),
            "warm_up_s": round(ready - loaded, 2),
            "first_answer_s": round(answered - ready, 2),
            "start_to_first_answer_s": round(answered - begin, 2),
        }


def _times(
    graph: Callable[[tf.Tensor], dict[str, tf.Tensor]], reloaded: Any, session: Session, encoded: bytes, rounds: int
) -> Row:
    signature, content = reloaded.signatures["serving_default"], tf.constant([encoded])
    steps = {
        "proposer": lambda: _arrays(graph(tf.io.decode_image(encoded, 3, expand_animations=False))),
        "saved_model": lambda: _arrays(signature(image_bytes=content)),
        "session": lambda: session(image_bytes=[encoded]),
    }
    seconds = in_turn(steps, rounds)
    row: Row = {f"{name}_ms": median_ms(times) for name, times in seconds.items()}
    for name in ("saved_model", "session"):
        row[f"{name}_to_proposer"] = median_ratio(seconds[name], seconds["proposer"])
    return {"speed": "bytes in to arrays out, 480 x 640", **row}


def _sizes(answer: Arrays) -> Row:
    """Bytes of an answer of 100 proposals, as gRPC message and as REST's JSON."""
    first = {name: value[:, :_ANSWERED] if value.ndim > 1 else value for name, value in answer.items()}
    message = PredictResponse()
    for name, value in first.items():
        message.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    entry = {name: _json(value[0]) for name, value in first.items()}
    return {
        "size": f"answer of {_ANSWERED} proposals",
        "grpc_bytes": message.ByteSize(),
        "json_bytes": len(json.dumps({"predictions": [entry]})),
    }


def _json(value: Any) -> Any:
    """Numbers with the digits that float32 needs, as the server writes them."""
    if isinstance(value, bytes):
        return value.decode()
    return value.astype(str).astype(float).tolist() if value.dtype == np.float32 else value.tolist()


def _memory(version: Path, image: np.ndarray, requests: int) -> list[Row]:
    """Resident memory of a server's session while it answers photographs of random sizes."""
    session, rng, rows = Session(version), np.random.default_rng(0), []
    for number in range(1, requests + 1):
        height, width = rng.integers(*_SIDES, size=2, endpoint=True)
        session(image_bytes=[_encoded(image, (int(height), int(width)))])
        if number == 1 or number % max(requests // 5, 1) == 0:
            memory = {"resident_gib": round(resident_gib(), 3), "peak_gib": peak_gib()}
            rows.append({"memory": f"after {number} requests of random sizes", **memory})
    return rows


def _encoded(image: np.ndarray, size_hw: tuple[int, int]) -> bytes:
    resized = Image.fromarray(image).resize(size_hw[::-1])
    return tf.io.encode_jpeg(np.asarray(resized), quality=92).numpy()


def _arrays(tensors: dict[str, tf.Tensor]) -> Arrays:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
