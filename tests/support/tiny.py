"""A trunk of four small convolutions, as a user would add one of their own: importing this registers it."""

import keras

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import TRUNKS, InstanceFCNConfig
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.trunks.trunk import Trunk


class TinyTrunk(Trunk):
    groups = ("tiny1_", "tiny2_", "tiny3_", "tiny4_")

    def features(self, image, stride, channels, dtype):
        x = keras.layers.Rescaling(1 / 64, -2.0, dtype="float32", name="preprocessing")(image)
        for i, channels in enumerate((8, 8, 16, 16), start=1):
            kernel = keras.initializers.HeNormal(seed=i)
            options = {"activation": "relu", "kernel_initializer": kernel, "dtype": dtype, "name": f"tiny{i}_conv"}
            x = Conv2D(channels, 3, padding="same", **options)(x)
            if 2**i <= stride:
                x = keras.layers.MaxPooling2D(2, 2, padding="same", dtype=dtype, name=f"tiny{i}_pool")(x)
        return x

    def load_imagenet(self, model, source):
        raise UserError(f"{source}: nobody trained a tiny trunk on ImageNet.")


TRUNK = TinyTrunk()
TRUNKS["tiny"] = f"{__name__}:TRUNK"
#: The network of most tests.
TINY = InstanceFCNConfig(trunk="tiny", branch_channels=16)
