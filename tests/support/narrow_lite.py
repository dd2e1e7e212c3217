"""EfficientNet-Lite with a block a stage and few channels, for tests: importing this registers it."""

from ifcn_tf.config.network import TRUNKS, InstanceFCNConfig
from ifcn_tf.models.trunks.efficientnet_lite import EfficientNetLite

TRUNK = EfficientNetLite("lite_narrow", 0.25, 0.25)
TRUNKS["lite_narrow"] = f"{__name__}:TRUNK"
#: A network on it.
NARROW_LITE = InstanceFCNConfig(trunk="lite_narrow", fusion_channels=16, branch_channels=16)
