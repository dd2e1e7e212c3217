"""FCN (Long et al., CVPR 2015): the class of each pixel, from scores of several strides that are added.

* `upsampling`: a coarse map at the cells of a finer one, or at the pixels of the image.
* `network`: trunk, fc6 and fc7 as convolutions, scores, skips.
* `loss`: the cross entropy of the pixels.

What it is trained on is `data.class_masks`; what answers for a photograph is `segmenting`.
"""
