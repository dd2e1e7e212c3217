"""Former name of `proposing.proposer`, kept for programs that were written after the first release."""

from ifcn_tf.proposing.proposer import Proposer
from ifcn_tf.proposing.window_model import WindowModel

__all__ = ["Proposer", "WindowModel"]
