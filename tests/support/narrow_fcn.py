"""FCN of a few channels on narrow trunks: on VGG-16, which pads the image, on EfficientNet-Lite, which does not, and on
a trunk of five convolutions: importing this registers it."""

import keras

from ifcn_tf.config.network import TRUNKS, FCNConfig
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.trunks.trunk import Level
from ifcn_tf.models.trunks.vgg16 import VGG16
from tests.support.narrow_lite import NARROW_LITE
from tests.support.tiny import TinyTrunk


class FiveConvolutions(TinyTrunk):
    """Each halves the map."""

    groups = tuple(f"tiny{i}_" for i in range(1, 6))

    def levels(self, image, dtype):
        x, levels = keras.layers.Rescaling(1 / 64, -2.0, dtype="float32", name="preprocessing")(image), {}
        for i in range(1, 6):
            x = Conv2D(8, 3, padding="same", activation="relu", dtype=dtype, name=f"tiny{i}_conv")(x)
            x = keras.layers.MaxPooling2D(2, padding="same", dtype=dtype, name=f"tiny{i}_pool")(x)
            levels[2**i] = Level(x, 2**i, 2**i / 2)
        return levels


VGG, TINY = VGG16(channels=(2, 2, 3, 3, 4)), FiveConvolutions()
TRUNKS["vgg_narrow"], TRUNKS["tiny_levels"] = f"{__name__}:VGG", f"{__name__}:TINY"
#: The seven forms of generated scenes: the ground, and their categories.
CLASSES = ("background", "ellipse", "box", "polygon", "star", "flower", "blob")
PADDED = FCNConfig(trunk="vgg_narrow", classes=CLASSES, stride=8, fc_channels=5)
LIGHT = FCNConfig(trunk=NARROW_LITE.trunk, classes=CLASSES, stride=8, fc_channels=5, fc_cells=3)
SMALL = FCNConfig(trunk="tiny_levels", classes=CLASSES, stride=8, fc_channels=5, fc_cells=3)
