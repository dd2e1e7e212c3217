"""FCN of a few channels on narrow trunks: on VGG-16, which pads the image, and on EfficientNet-Lite, which does not."""

from ifcn_tf.config.network import TRUNKS, FCNConfig
from ifcn_tf.models.trunks.vgg16 import VGG16
from tests.support.narrow_lite import NARROW_LITE

TRUNK = VGG16(channels=(2, 2, 3, 3, 4))
TRUNKS["vgg_narrow"] = f"{__name__}:TRUNK"
#: The seven forms of generated scenes: the ground, and their categories.
CLASSES = ("background", "ellipse", "box", "polygon", "star", "flower", "blob")
PADDED = FCNConfig(trunk="vgg_narrow", classes=CLASSES, stride=8, fc_channels=5)
LIGHT = FCNConfig(trunk=NARROW_LITE.trunk, classes=CLASSES, stride=8, fc_channels=5, fc_cells=3)
