"""The mask classifier (Dai et al., Instance-aware Semantic Segmentation via Multi-task Network Cascades, CVPR 2016,
stage 3): the class of a region, of its box and of its mask.

* `rois`: what a box and a mask hold of a map; boxes and how they are refined.
* `network`: trunk, two fully connected layers on each, classes, boxes.
* `loss`: the cross entropy of the classes, and the distance of the boxes.

What it is trained on is `data.rois`; what answers for a photograph is `classifying`.
"""
