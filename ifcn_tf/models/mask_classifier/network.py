"""From the features of a trunk to the classes of regions (MNC, section 3.3, figure 2)."""

from __future__ import annotations

import keras

from ifcn_tf.config.network import ROI_CELLS, MaskClassifierConfig
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.mask_classifier.loss import roi_losses, roi_statistics
from ifcn_tf.models.mask_classifier.rois import RefinedBoxes, RoiFeatures
from ifcn_tf.models.method import Method, Tensors
from ifcn_tf.models.parts.dropout import Dropout


class MaskClassifier(Method):
    """Two paths of two fully connected layers, on what boxes hold and on what masks in them hold; see `Method`.

    Its map is "roi_features" [B, h, w, C], the trunk's. Its model takes image, boxes_yxyx float32 [B, N, 4] px and
    roi_masks float32 [B, N, 14, 14], the share of each cell of the box that the mask covers. It answers class_logits
    [B, N, classes], the background first, box_refinements [B, N, classes - 1, 4] (`rois.refinements`), and class_boxes
    [B, N, classes - 1, 4] px, the boxes that these make.
    """

    config: MaskClassifierConfig

    def build(self, image: keras.KerasTensor) -> tuple[keras.Model, keras.Model]:
        """See `Method.build`."""
        stride, classes = self.config.stride, len(self.config.classes)
        features = self.trunk.features(image, stride, self.config.fusion_channels, self.dtype)
        boxes = keras.Input((None, 4), name="boxes_yxyx")
        masks = keras.Input((None, ROI_CELLS, ROI_CELLS), name="roi_masks")
        layer = RoiFeatures(stride, self.trunk.first(stride), dtype=self.dtype, name="roi_features")
        paths = zip(layer(features, boxes, masks), ("", "_mask"), strict=True)
        x = keras.layers.Concatenate(dtype=self.dtype, name="paths")([self._connected(x, path) for x, path in paths])
        logits = _scores(classes, "class_logits", 0.01)(x)
        refinements = _scores(4 * (classes - 1), "boxes", 0.001)(x)
        shaped = keras.layers.Reshape((-1, classes - 1, 4), dtype="float32", name="box_refinements")(refinements)
        inputs = {"image": image, "boxes_yxyx": boxes, "roi_masks": masks}
        outputs = {"class_logits": logits, "box_refinements": shaped}
        outputs["class_boxes"] = RefinedBoxes(dtype="float32", name="class_boxes")(boxes, shaped)
        model = keras.Model(inputs, outputs, name=self.config.method)
        return keras.Model(image, {"roi_features": features}), model

    def _connected(self, x: keras.KerasTensor, path: str) -> keras.KerasTensor:
        """fc6 and fc7 of a path."""
        for seed, name in enumerate((f"fc6{path}", f"fc7{path}")):
            kernel = keras.initializers.HeNormal(seed=seed + 2 * len(path))
            options = {"activation": "relu", "kernel_initializer": kernel, "dtype": self.dtype, "name": name}
            x = keras.layers.Dense(self.config.fc_channels, **options)(x)
            x = Dropout(self.config.dropout, seed + 2 * len(path), dtype=self.dtype, name=f"{name}_dropout")(x)
        return x

    def losses(self, outputs: Tensors, inputs: Tensors, targets: Tensors, config: LossConfig) -> Tensors:
        """Classes of the regions, and boxes of those that hold an object."""
        return roi_losses(outputs, inputs, targets)

    def statistics(self, outputs: Tensors, inputs: Tensors, targets: Tensors) -> Tensors:
        """Accuracy of the classes."""
        return roi_statistics(outputs, targets)


def _scores(units: int, name: str, deviation: float) -> keras.layers.Dense:
    """The last layers, in float32, with the initial weights of Fast R-CNN."""
    kernel = keras.initializers.RandomNormal(stddev=deviation, seed=5)
    return keras.layers.Dense(units, kernel_initializer=kernel, dtype="float32", name=name)


METHOD = MaskClassifier
