"""The instance-sensitive score maps of a photograph, to look at (figure 5)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.geometry import resized_hw
from ifcn_tf.images.tensors import resize
from ifcn_tf.models.method import WindowMethod


def score_maps(network: WindowMethod, image: np.ndarray, shorter_side: int = 400) -> np.ndarray:
    """Runs an InstanceFCN once, on one scale.

    Args:
        network: `proposing.network.load_network`'s.
        image: uint8 [H, W, 3], RGB.
        shorter_side: of the image after resizing [px]; objects about 128 px long then are seen whole.

    Returns:
        float32 [ceil(h / 8), ceil(w / 8), k * k], logits, for an image resized to h x w;
        `pictures.proposals.draw_score_maps` draws them.
    """
    config = ProposerConfig()
    height, width, _ = image.shape
    resized = resized_hw(height, width, shorter_side, config.longer_side_limit)
    features = network.window_model(config).features(resize(tf.constant(image), *resized)[None])
    return features["score_maps"][0].numpy()
