"""Former name of `proposing.score_maps`, kept for programs that were written after the first release."""

from ifcn_tf.proposing.score_maps import score_maps

__all__ = ["score_maps"]
