"""Former name of `pictures.proposals`, kept for programs that were written after the first release."""

from ifcn_tf.pictures.proposals import draw_proposals, draw_score_maps

__all__ = ["draw_proposals", "draw_score_maps"]
