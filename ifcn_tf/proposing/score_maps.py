"""The instance-sensitive score maps of a photograph, to look at (figure 5)."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.geometry import resized_hw
from ifcn_tf.images.tensors import preprocess
from ifcn_tf.models.instance_fcn.inference import InferenceModel


def score_maps(model: keras.Model, image: np.ndarray, shorter_side: int = 400) -> np.ndarray:
    """Runs the network once, on one scale.

    Args:
        model: `predictor.load_network`'s or `build_instance_fcn`'s model.
        image: uint8 [H, W, 3], RGB.
        shorter_side: of the image after resizing [px]; objects about 128 px long then are seen whole.

    Returns:
        float32 [ceil(h / 8), ceil(w / 8), k * k], logits, for an image resized to h x w;
        `visualize.draw_score_maps` draws them.
    """
    height, width, _ = image.shape
    resized = resized_hw(height, width, shorter_side, ProposerConfig().longer_side_limit)
    features = InferenceModel(model).features(preprocess(tf.constant(image), *resized)[None])
    return features["score_maps"][0].numpy()
