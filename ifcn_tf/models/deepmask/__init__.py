"""DeepMask (Pinheiro et al., NIPS 2015), with which the paper compares: a mask by fully connected layers (figure 3).

* `windows`: the features that a window covers, in training; the layers that look at them as convolutions, at inference.
* `network`: trunk, mask branch and score branch as one network.
* `loss`: masks and scores, batches of which train in turn.
* `inference`: scores of all windows, then masks of those that are asked for.

What it is trained on is `data.crops`.
"""
