"""Photographs to masks with a file that holds the whole method (`onnx_export`), whichever runtime computes it."""

from __future__ import annotations

import abc
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.common.pool import usable_cores
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.image_predictor import ImagePredictor
from ifcn_tf.images.files import MAX_PIXELS, read_pixels

Arrays = dict[str, np.ndarray]
#: Name of the entry of a file's metadata that holds, as JSON, the settings of the proposer and VERSION.
METADATA = "ifcn_tf"
#: Among these settings: whether the network's convolutions are of integers of 8 bits.
QUANTIZED = "quantized"
#: Of what the files hold; version 1 was the network alone.
VERSION = 2


class EnginePredictor(ImagePredictor):
    """Proposes the objects of photographs as `Predictor` does, without TensorFlow.

    Args:
        path: what `onnx_export.export_onnx` wrote.
        max_pixels: larger image files are refused.
        num_proposals: fewer proposals than the file's; None, as many.
        **fixed: settings that a file fixes, to refuse them by name.

    Attributes:
        config: scales, thresholds and counts.
        settings: what determines the proposals, as JSON types.
        quantized: whether the network was quantised (`quantization`).
        engine: the runtime, its precision and threads, for people to read.

    Raises:
        UserError: no such file, or one of another kind or version.
    """

    def __init__(
        self, path: str | Path, max_pixels: int = MAX_PIXELS, num_proposals: int | None = None, **fixed: Any
    ) -> None:
        path, self._path, self.max_pixels = Path(path), path, max_pixels
        if fixed:
            raise UserError(f"{path} has its own {next(iter(fixed))}, fixed when it was exported: leave it out.")
        content = _read(path)
        try:
            stored = json.loads(self._load(path, content))
            config = ProposerConfig.from_dict(stored["proposer"])
        except Exception as error:  # the errors of runtimes share no class
            raise UserError(f"{path} is no file of `ifcn-tf export`, or damaged: export it anew.") from error
        if stored.get("version") != VERSION:
            raise UserError(f"{path} is of another version, the first of which held the network alone: export it anew.")
        self.quantized = bool(stored.get(QUANTIZED))
        most = config.num_proposals
        self.config = config.changed({"num_proposals": most if num_proposals is None else min(num_proposals, most)})
        self.settings = {
            "weights": hashlib.sha256(content).hexdigest(),
            "precision": self.precision,
            "proposer": self.config.to_dict(),
        }

    @property
    def precision(self) -> str:
        """Arithmetic of the network, or where it is quantised of the rest of it."""
        return "float32"

    @property
    def engine(self) -> str:
        """See the class; such as "onnxruntime 1.32.0, float32, 2 threads"."""
        return f"{self._runtime}, {'int8 and ' * self.quantized}{self.precision}, {usable_cores()} threads"

    @property
    @abc.abstractmethod
    def _runtime(self) -> str:
        """Name and version."""

    @abc.abstractmethod
    def _load(self, path: Path, content: bytes) -> str:
        """Makes a file ready to run; returns its METADATA."""

    @abc.abstractmethod
    def _compute(self, image: np.ndarray) -> Arrays:
        """What `_run` answers; may raise any error of the runtime."""

    def _run(self, image: np.ndarray) -> Arrays:
        try:
            return self._compute(image)
        except Exception as error:  # such as no memory for this size, or a damaged file
            raise BadImageError(
                f"proposing by {self._path} failed on an image of {image.shape[:2]} px: {error}."
            ) from error

    def read(self, path: str | Path) -> np.ndarray:
        """See `ImagePredictor`."""
        return read_pixels(Path(path) if isinstance(path, str) else path, self.max_pixels)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
