"""From the proposals of a photograph to instances with names, in a graph."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.classifying.instances import select, voted
from ifcn_tf.classifying.sampling import roi_masks
from ifcn_tf.config.classifying import ClassifyingConfig
from ifcn_tf.config.network import require_classifier
from ifcn_tf.geometry import resized_hw
from ifcn_tf.images.tensors import resize
from ifcn_tf.masks.paste import logit
from ifcn_tf.models.method import Method
from ifcn_tf.models.parts.constant_weights import with_constant_weights

Tensors = dict[str, tf.Tensor]


class Classifier:
    """Names the proposals of photographs.

    Args:
        network: of which the present weights are copied. Its model takes an image, boxes_yxyx and roi_masks, and
            answers class_logits and class_boxes (see `models.mask_classifier.network`).
        config: the size at which the network sees an image, and which proposals are instances.

    Attributes:
        config: see above.
        categories: names of the classes by the numbers that results have.
    """

    def __init__(self, network: Method, config: ClassifyingConfig) -> None:
        self.config, self.categories = config, require_classifier(network.config).categories
        self._network = with_constant_weights(network.model)

    def __call__(self, image: tf.Tensor, proposals: Tensors, threshold: float) -> Tensors:
        """Names proposals, of which the first `num_rois` are looked at.

        Args:
            image: uint8 [H, W, 3], RGB.
            proposals: float32 boxes_yxyx [N, 4], windows_yxyx [N, 4] and mask_logits [N, m, m], as of a proposer.
            threshold: a cell or pixel belongs to a mask from this probability on, here and in what is returned.

        Returns:
            A dict of M instances, best first; a proposal may be an instance of several classes:
                scores: float32 [M], probability of the class.
                boxes_yxyx: float32 [M, 4], refined for the class, within the image [px].
                windows_yxyx, mask_logits: float32 [M, 4] and [M, m, m], where each mask lies and what it is.
                category_ids: int32 [M], numbers of `categories`.
                class_scores: float32 [M, C + 1], probability of every class, the background first.
        """
        rois = {name: values[: self.config.num_rois] for name, values in proposals.items()}
        size_hw = tf.shape(image)[:2]
        probabilities, boxes = self._named(image, rois, threshold)
        scores = probabilities[:, 1:]
        chosen = select(scores, boxes, self.config)
        number, label = chosen
        if self.config.voting_iou < 1:
            masks = voted(rois, scores, boxes, chosen, size_hw, self.config) + logit(threshold)
        else:
            masks = tf.gather(rois["mask_logits"], number)
        return {
            "scores": tf.gather_nd(scores, tf.stack(chosen, 1)),
            "boxes_yxyx": tf.gather_nd(boxes, tf.stack(chosen, 1)),
            "windows_yxyx": tf.gather(rois["windows_yxyx"], number),
            "mask_logits": masks,
            "category_ids": tf.gather(tf.constant(list(self.categories), tf.int32), label),
            "class_scores": tf.gather(probabilities, number),
        }

    def _named(self, image: tf.Tensor, rois: Tensors, threshold: float) -> tuple[tf.Tensor, tf.Tensor]:
        """Probability of every class of each proposal [N, C + 1], and its box as each but the background [N, C, 4]."""
        height, width = tf.unstack(tf.shape(image, tf.int64)[:2])
        seen_hw = resized_hw(height, width, self.config.shorter_side, self.config.longer_side_limit)
        scale = tf.cast(tf.tile(tf.stack(seen_hw) / tf.stack([height, width]), [2]), tf.float32)
        places = rois["mask_logits"], rois["windows_yxyx"], rois["boxes_yxyx"]
        inputs = {
            "image": resize(image, *seen_hw)[None],
            "boxes_yxyx": (rois["boxes_yxyx"] * scale)[None],
            "roi_masks": roi_masks(*places, tf.stack([height, width]), logit(threshold))[None],
        }
        answer = self._network(inputs)
        limits = tf.cast(tf.stack([height, width, height, width]), tf.float32)
        boxes = tf.clip_by_value(answer["class_boxes"][0] / scale, 0.0, limits)
        return tf.nn.softmax(answer["class_logits"][0]), boxes
