"""Photographs to masks with an ONNX file and onnxruntime, without TensorFlow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import network_config, require_windows
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.onnx_proposer import NumpyProposer
from ifcn_tf.images.files import MAX_PIXELS, checked_pixels, read_pixels
from ifcn_tf.proposals import Proposals

try:
    import onnxruntime
except ImportError as error:
    raise UserError("running ONNX files needs onnxruntime: pip install 'ifcn-tf[onnx]'.") from error

#: Name of the entry of an ONNX file's metadata that holds the settings, as JSON.
METADATA = "ifcn_tf"


class OnnxPredictor:
    """Proposes the objects of photographs as `Predictor` does in float32, up to rounding: files have the same pixels.

    Args:
        path: what `onnx_export.export_onnx` wrote.
        max_pixels: larger image files are refused.
        providers: onnxruntime's execution providers, in order of preference.
        **settings: fields of `ProposerConfig` instead of the file's, such as num_proposals=100.

    Raises:
        UserError: no such file, or a setting that cannot be used.
    """

    def __init__(
        self,
        path: str | Path,
        max_pixels: int = MAX_PIXELS,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        **settings: Any,
    ) -> None:
        self._session, stored = _read(Path(path), providers)
        self.config = ProposerConfig.from_dict(stored["proposer"]).changed(settings)
        self.max_pixels = max_pixels
        self.settings = {"weights": stored["sha256"], "precision": "float32", "proposer": self.config.to_dict()}
        network = require_windows(network_config(stored["model"]))
        network.require_fitting(self.config)
        self._proposer = NumpyProposer(self._network, self.config, stored["model"]["k"], network.grid)

    def read(self, path: str | Path) -> np.ndarray:
        """Reads an image file as `propose` does: uint8 [H, W, 3], upright; raises BadImageError when it cannot."""
        return read_pixels(Path(path), self.max_pixels)

    def propose_file(self, path: Path) -> tuple[np.ndarray, Proposals]:
        """An image file's pixels, uint8 [H, W, 3], and their proposals; raises BadImageError on a bad file."""
        image = self.read(path)
        return image, self.propose(image)

    def propose(self, image: str | Path | np.ndarray) -> Proposals:
        """Proposes the objects of one image.

        Args:
            image: a file (see `images.files.read_pixels`), or uint8 [H, W, 3], RGB.

        Raises:
            UserError: the file cannot be read, or the array is no such image.
        """
        if isinstance(image, str | Path):
            return self.propose_file(Path(image))[1]
        pixels = checked_pixels(image)
        found = self._proposer(pixels)
        height, width = pixels.shape[:2]
        arrays = {name: found[name] for name in ("scores", "windows_yxyx", "mask_logits")}
        threshold, min_area = self.config.mask_threshold, self.config.min_area
        return Proposals.from_windows(**arrays, size_hw=(height, width), threshold=threshold, min_area=min_area)

    def _network(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        score_maps, objectness = self._session.run(["score_maps", "objectness_logits"], {"image": image})
        return score_maps, objectness


def _read(path: Path, providers: Sequence[str]) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
    """The network, and its settings with the file's sha256."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
    try:
        session = onnxruntime.InferenceSession(content, providers=list(providers))
        stored = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    except Exception as error:  # onnxruntime's own errors share no class
        raise UserError(f"{path} is no ONNX file of pipelines.export, or damaged: export it anew.") from error
    return session, {**stored, "sha256": hashlib.sha256(content).hexdigest()}
