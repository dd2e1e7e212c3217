"""What a new run starts from: the weights of another one, or ImageNet's."""

from __future__ import annotations

from ifcn_tf.config.bundled import weights_file
from ifcn_tf.models.method import Method
from ifcn_tf.models.weights import take_fitting_weights


def first_weights(weights: str | None, backbone: str, network: Method) -> None:
    """Gives a new network its first weights: those of a trained network that fit, or ImageNet's for the trunk.

    Args:
        weights: a `*.weights.h5` file of ours, the name of a bundled model, or None.
        backbone: without `weights`: "imagenet", or a file of the trunk's ImageNet weights.
        network: the network.

    Raises:
        UserError: a file that cannot be read or does not fit.
    """
    if weights is None:
        network.trunk.load_imagenet(network.model, backbone)
        return
    left = take_fitting_weights(network, weights_file(weights))
    if left:
        print(f"{weights} does not fit these layers, which start anew: {', '.join(left)}", flush=True)
