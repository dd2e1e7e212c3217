"""InstanceFCN (Dai et al., ECCV 2016): the paper, in the order in which it is read.

* `assembler`: the idea. A window's mask is copied together from k x k score maps.
* `heads`: the two branches that make score maps and objectness of a trunk's features (figure 4).
* `network`: trunk, branches and assembler as one network.
* `loss`: equation (1).
* `inference`: the same masks, for those windows only that are asked for.

Its trunk is `models.trunks.vgg16`, what it is trained to answer `data.targets`, and the way from a photograph to ranked
proposals `proposing.proposer`.
"""
