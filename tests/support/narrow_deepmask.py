"""A DeepMask of a few channels on the tests' trunk: windows of 4 cells, 64 px, masks of 16 x 16 cells."""

from ifcn_tf.config.network import DeepMaskConfig
from tests.support.tiny import TINY

NARROW = DeepMaskConfig(
    trunk=TINY.trunk, window_cells=4, mask_cells=16, mask_channels=8, low_rank=6, score_channels=(5, 7)
)
