"""Three lines from a photograph to masks: `ifcn_tf.load(...).propose(image)`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ifcn_tf.config import ModelConfig, Precision, ProposerConfig
from ifcn_tf.files import UserError
from ifcn_tf.images import MAX_PIXELS, read_image
from ifcn_tf.model.inference import InferenceModel
from ifcn_tf.model.instance_fcn import build_instance_fcn
from ifcn_tf.proposals import Proposals
from ifcn_tf.proposer import Proposer
from ifcn_tf.weights import load_backbone, load_weights, read_model_config


class Predictor:
    """Proposes the objects of photographs; `load` makes one.

    Args:
        model: `build_instance_fcn`'s model; its weights are copied.
        config: scales, thresholds and counts.
        max_pixels: larger image files are refused.

    Attributes:
        settings: what determines the proposals, as JSON types; the weights as a SHA-256 of their values.
    """

    def __init__(self, model: keras.Model, config: ProposerConfig, max_pixels: int = MAX_PIXELS) -> None:
        self.config, self.max_pixels = config, max_pixels
        digest = hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights())).hexdigest()
        self.settings = {
            "weights": digest,
            "precision": model.get_layer("block1_conv1").compute_dtype,
            "proposer": config.to_dict(),
        }
        self._graph = Proposer(InferenceModel(model), config).compile()

    def read(self, path: str | Path) -> np.ndarray:
        """Reads an image file as `propose` does: uint8 [H, W, 3], upright; raises BadImageError when it cannot."""
        return read_image(Path(path), self.max_pixels)

    def propose(self, image: str | Path | np.ndarray) -> Proposals:
        """Proposes the objects of one image.

        Args:
            image: a file (see `images.read_image`), or uint8 [H, W, 3], RGB.

        Raises:
            UserError: the file cannot be read, or the array is no such image.
        """
        pixels = self.read(image) if isinstance(image, str | Path) else _checked(image)
        found = self._graph(pixels)
        arrays = {name: found[name].numpy() for name in ("scores", "windows_yxyx", "mask_logits")}
        height, width = pixels.shape[:2]
        return Proposals.from_windows(**arrays, size_hw=(height, width), threshold=self.config.mask_threshold)


def load(
    weights: str | Path | None = None,
    *,
    backbone_weights: str | None = None,
    k: int | None = None,
    precision: Precision = "auto",
    max_pixels: int = MAX_PIXELS,
    **settings: Any,
) -> Predictor:
    """Loads a model for inference.

    Args:
        weights: a `*.weights.h5` file; the architecture is read from the `config.json` beside it, where there is one.
            None leaves the branches untrained: masks are then meaningless.
        backbone_weights: only without `weights`: "imagenet" or the path of VGG-16 weights for the trunk.
        k: relative positions a side; by default what `config.json` says, else 5.
        precision: "auto", "float32" or "bfloat16".
        max_pixels: larger image files are refused.
        **settings: fields of `ProposerConfig`, such as num_proposals=100.

    Raises:
        UserError: a file or setting that cannot be used; says which and why.
    """
    config = ProposerConfig.from_dict(settings)
    stored = read_model_config(Path(weights)) if weights else None
    model_config = stored or ModelConfig(k=k or 5)
    if k not in (None, model_config.k):
        raise UserError(
            f"{weights} holds weights for k = {model_config.k}, not {k}: leave k out, or take other weights."
        )
    model = build_instance_fcn(model_config, precision)
    if weights:
        load_weights(model, Path(weights))
    elif backbone_weights:
        load_backbone(model, backbone_weights)
    return Predictor(model, config, max_pixels)


def _checked(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UserError(f"an image must be uint8 [H, W, 3] in RGB order, not {image.dtype} {list(image.shape)}.")
    return image
