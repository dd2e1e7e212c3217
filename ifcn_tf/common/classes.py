"""Classes of pixels, and those of PASCAL VOC, which annotations, networks and evaluations name alike."""

from __future__ import annotations

#: The 20 categories of PASCAL VOC, in the order of its class images: value 1 is the first.
VOC_CATEGORIES = {
    1: "aeroplane",
    2: "bicycle",
    3: "bird",
    4: "boat",
    5: "bottle",
    6: "bus",
    7: "car",
    8: "cat",
    9: "chair",
    10: "cow",
    11: "diningtable",
    12: "dog",
    13: "horse",
    14: "motorbike",
    15: "person",
    16: "pottedplant",
    17: "sheep",
    18: "sofa",
    19: "train",
    20: "tvmonitor",
}
#: Pixels of VOC's label images that belong to nothing in particular, mostly along outlines; in class images they are
#: neither trained on nor measured.
VOID = 255
#: What the value 0 of a class image is called.
BACKGROUND = "background"
#: Names of the values of VOC's class images, from 0 on.
VOC_CLASSES = (BACKGROUND, *VOC_CATEGORIES.values())
