"""The mask classifier of a few channels on a trunk of four convolutions, for the seven forms of generated scenes."""

from ifcn_tf.config.network import MaskClassifierConfig
from tests.support.tiny import TINY

CLASSES = ("background", "ellipse", "box", "polygon", "star", "flower", "blob")
NARROW = MaskClassifierConfig(trunk=TINY.trunk, classes=CLASSES, fc_channels=6)
