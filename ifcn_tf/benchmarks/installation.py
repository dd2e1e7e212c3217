"""What is installed on this machine, and whether it works: lines for people who ask why something does not."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf import __version__
from ifcn_tf.annotations.shapes import draw_scene
from ifcn_tf.common.pool import usable_cores
from ifcn_tf.common.processor import processor_flags
from ifcn_tf.config.bundled import MODELS, SAMPLE, installed_models
from ifcn_tf.engines.loading import default_engine, file_engine, installed_engines
from ifcn_tf.models.parts.precision import dtype_policy, fast_bfloat16
from ifcn_tf.models.weights import read_record, read_weights
from ifcn_tf.predictor import Predictor

#: Instructions that decide how fast convolutions are.
_INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")
#: Extras that are no packages of their own: other builds of what is required, and tools.
_NO_PACKAGES = ("gpu", "dev")


def lines(load: Callable[[], Predictor]) -> Iterator[str]:
    """What is installed, one line each; the last one times a photograph.

    Args:
        load: makes the predictor that is timed.

    Raises:
        UserError: the weights of an installed model are damaged.
    """
    yield f"ifcn_tf {__version__}, Python {platform.python_version()}, TensorFlow {tf.__version__}, " + (
        f"Keras {keras.__version__}, NumPy {np.__version__}"
    )
    found = [name for name in _INSTRUCTIONS if name in processor_flags()]
    yield f"processor: {_processor()}; of {', '.join(_INSTRUCTIONS)} it has {', '.join(found) or 'none'}"
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    yield f"GPUs: {', '.join(gpu.get('device_name', 'unknown') for gpu in gpus) or 'none'}"
    yield f"precision auto: {dtype_policy('auto').removeprefix('mixed_')}, since {fast_bfloat16()[1]}"
    yield f"threads: {_threads()}"
    yield from _extras(metadata.requires("ifcn-tf") or [])
    yield from models()
    predictor = load()
    yield f"engine auto: {predictor.engine}, since weights are TensorFlow's; {_of_files()}"
    yield "the default model alone is run by {}, since {}".format(*default_engine())
    yield photograph(predictor)


def models() -> Iterator[str]:
    """The trained models with the hashes of their weights, which are verified; raises UserError on a damaged one."""
    installed = installed_models()
    for name in MODELS:
        if name in installed:
            path = installed[name]
            count = sum(array.size for array in read_weights(path).values())
            yield f"model {name}: {path}, {count:,} numbers, sha256 {read_record(path)['weights']['sha256']}, verified"
        else:
            yield f"model {name}: not installed here; a clone of the repository has it"


def photograph(predictor: Predictor) -> str:
    """Times a photograph: the bundled one, or where it is not installed a drawn one."""
    image = predictor.read(SAMPLE) if SAMPLE.exists() else draw_scene(np.random.default_rng(0))[0]
    name = SAMPLE.name if SAMPLE.exists() else "a drawn scene"
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        proposals = predictor.propose(image)
        seconds.append(time.perf_counter() - start)
    height, width = image.shape[:2]
    size = f"{height} x {width} px"
    return (
        f"photograph {name}, {size}: {len(proposals)} masks in {seconds[1]:.2f} s (the first time {seconds[0]:.2f} s)"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    stated = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return stated[1] if stated else platform.processor() or platform.machine()


def _threads() -> str:
    inside = tf.config.threading.get_intra_op_parallelism_threads() or "all cores"
    between = os.environ.get("TF_NUM_INTEROP_THREADS", "all cores")
    return (
        f"{usable_cores()} cores to use; TensorFlow takes {inside} for an operation, and {between} to start operations"
    )


def _of_files() -> str:
    """Which engine runs an ONNX file, and why."""
    found, taken = installed_engines(), file_engine()
    if not found:
        return "nothing here runs ONNX files: pip install 'ifcn-tf[openvino]'"
    reason = "which was measured to be faster than ONNX Runtime" if taken == "openvino" else "OpenVINO is faster on x86"
    return f"of {', '.join(found)} here an ONNX file is run by {taken}, {reason}"


def _extras(requirements: Sequence[str]) -> Iterator[str]:
    """Whether the packages of each extra are installed; `requirements` as a package's metadata states them."""
    stated = [re.match(r"([\w.-]+).*\bextra == ['\"](\w+)['\"]", requirement) for requirement in requirements]
    pairs = [(match[2], match[1]) for match in stated if match and match[2] not in _NO_PACKAGES]
    for extra in dict.fromkeys(extra for extra, _ in pairs):
        missing = [package for name, package in pairs if name == extra and not _is_installed(package)]
        yield f"extra {extra}: " + (f"not installed ({', '.join(missing)} missing)" if missing else "installed")


def _is_installed(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False
