"""Three lines from a photograph to masks: `ifcn_tf.load(...).propose(image)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ifcn_tf.classifying.loading import load_classifier
from ifcn_tf.classifying.proposer import NamingProposer
from ifcn_tf.common.files import BadImageError
from ifcn_tf.common.pool import usable_cores
from ifcn_tf.config.network import Precision
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.image_predictor import ImagePredictor
from ifcn_tf.images.files import MAX_PIXELS
from ifcn_tf.images.tensors import read_image
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.proposing.network import load_network, network_proposer, settings_of
from ifcn_tf.proposing.proposer import Proposer
from ifcn_tf.saved_model.load import ExportedProposer


class Predictor(ImagePredictor):
    """Proposes the objects of photographs; `load` makes one.

    Args:
        proposer: around any model that scores windows, with names or without, or an exported one.
        settings: what determines the proposals, as JSON types; of proposals with names its "categories" are these.
        max_pixels: larger image files are refused.
    """

    def __init__(
        self,
        proposer: Proposer | NamingProposer | ExportedProposer,
        settings: dict[str, Any],
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.config, self.settings, self.max_pixels = proposer.config, settings, max_pixels
        self.categories = {int(number): name for number, name in settings.get("categories", {}).items()}
        self._graph = proposer.compile()

    @property
    def engine(self) -> str:
        """What computes, such as "tensorflow 2.21.0, bfloat16, 2 threads"."""
        threads = tf.config.threading.get_intra_op_parallelism_threads() or usable_cores()
        return f"tensorflow {tf.__version__}, {self.settings.get('precision', 'float32')}, {threads} threads"

    @classmethod
    def of_network(cls, network: WindowMethod, config: ProposerConfig, max_pixels: int = MAX_PIXELS) -> Predictor:
        """Around a copy of the present weights of a network."""
        return cls(network_proposer(network, config), settings_of(network, config), max_pixels)

    def read(self, path: str | Path) -> np.ndarray:
        """See `ImagePredictor`."""
        return read_image(Path(path) if isinstance(path, str) else path, self.max_pixels)

    def _run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        try:
            found = self._graph(tf.constant(image))
        except tf.errors.OpError as error:  # such as no memory for this size
            raise BadImageError(f"proposing failed on an image of {image.shape[:2]} px: {error.message}.") from error
        return {name: values.numpy() for name, values in found.items()}


def load(
    weights: str | Path | None = None,
    *,
    backbone_weights: str | None = None,
    trunk: str | None = None,
    k: int | None = None,
    score_weights: str | Path | None = None,
    precision: Precision = "auto",
    max_pixels: int = MAX_PIXELS,
    classes: str | Path | bool = False,
    **settings: Any,
) -> Predictor:
    """Loads a model for inference.

    Args:
        weights: the name of a bundled model, "default" or "vgg16", or a `*.weights.h5` file; the architecture and the
            settings that suit it are read from the `config.json` beside it. By default "default".
        backbone_weights: instead of `weights`: "imagenet" or a file of the trunk's ImageNet weights; all other layers
            are then untrained, and masks are meaningless.
        trunk: name of the trunk, with `backbone_weights`; otherwise `config.json` says it.
        k: relative positions a side, likewise.
        score_weights: other weights, by name or file, whose network scores the windows in place of that of `weights`;
            score heads and refiners, of either, are then left out.
        precision: "auto", "float32" or "bfloat16".
        max_pixels: larger image files are refused.
        classes: weights of a mask classifier, which names the proposals (`Proposals.labels`), "voc" or True for the
            bundled one.
        **settings: fields of `ProposerConfig`, such as num_proposals=100.

    Raises:
        UserError: a file or setting that cannot be used; says which and why.
    """
    network = load_network(
        weights,
        backbone_weights=backbone_weights,
        trunk=trunk,
        k=k,
        score_weights=score_weights,
        precision=precision,
        **settings,
    )
    if not classes:
        return Predictor.of_network(*network, max_pixels)
    classifier, named = load_classifier(classes, precision)
    proposer = NamingProposer(network_proposer(*network), classifier)
    return Predictor(proposer, {**settings_of(network[0], proposer.config), **named}, max_pixels)


def load_saved_model(folder: str | Path) -> Predictor:
    """Loads a model that `pipelines.export` wrote; it proposes the same as the weights that it was made of.

    Args:
        folder: of the model, of which the highest version is taken, or of one version.

    Raises:
        UserError: there is no such model, or it cannot be loaded.
    """
    proposer = ExportedProposer(Path(folder))
    return Predictor(proposer, proposer.settings, proposer.max_pixels)
