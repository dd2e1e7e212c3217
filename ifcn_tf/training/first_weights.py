"""What a new run starts from: the weights of another one, or ImageNet's."""

from __future__ import annotations

from pathlib import Path

import keras

from ifcn_tf.config.network import ModelConfig
from ifcn_tf.models.instance_fcn.network import build_instance_fcn
from ifcn_tf.models.weights import load_backbone, load_weights, read_model_config


def first_weights(weights: str | None, backbone: str, model: keras.Model) -> None:
    """Gives a new network its first weights: those of a trained network that fit, or ImageNet's for the trunk.

    Args:
        weights: a `*.weights.h5` file of ours, or None.
        backbone: without `weights`: "imagenet" or a file of VGG-16 weights.
        model: `build_instance_fcn`'s model.

    Raises:
        UserError: a file that cannot be read or does not fit.
    """
    if weights is None:
        load_backbone(model, backbone)
        return
    left = take_fitting_weights(model, Path(weights))
    if left:
        print(f"{weights} does not fit these layers, which start anew: {', '.join(left)}", flush=True)


def take_fitting_weights(model: keras.Model, path: Path) -> list[str]:
    """Takes from a weights file of ours, also one of another k, every layer that fits.

    Args:
        model: `build_instance_fcn`'s model.
        path: a `*.weights.h5` file, with its `config.json` beside it unless it is of the default architecture.

    Returns:
        Names of the layers that did not fit and keep the weights they had.

    Raises:
        UserError: no such file, or no weights of ours.
    """
    source = build_instance_fcn(read_model_config(path) or ModelConfig(), "float32")
    load_weights(source, path)
    left = []
    for layer in (layer for layer in model.layers if layer.weights):
        taken = source.get_layer(layer.name).get_weights()
        if [w.shape for w in taken] == [tuple(w.shape) for w in layer.weights]:
            layer.set_weights(taken)
        else:
            left.append(layer.name)
    return left
