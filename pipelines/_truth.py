"""The flags that say what is to be found: the same for every command that measures proposals."""

from __future__ import annotations

from absl import flags

from ifcn_tf.evaluation.protocols import PROTOCOLS
from ifcn_tf.evaluation.run import read_truth
from ifcn_tf.evaluation.truth import Truth

ANNOTATIONS = flags.DEFINE_string(
    "annotations", None, "Truth: a COCO annotation file; of label images a folder of class masks, PNGs."
)
VOC_ROOT = flags.DEFINE_string("voc_root", None, "Truth: a VOC folder such as VOCdevkit/VOC2012, or an SBD folder.")
SPLIT = flags.DEFINE_string("split", "val", "With --voc_root: name of an image list of it, or a text file of names.")
PROTOCOL = flags.DEFINE_enum(
    "protocol", None, list(PROTOCOLS), "Image list of the papers, checked to be complete by number and names."
)


def truth() -> Truth:
    """What the flags name; raises UserError unless it is exactly one set of images with objects."""
    return read_truth(ANNOTATIONS.value, VOC_ROOT.value, SPLIT.value, PROTOCOL.value)
