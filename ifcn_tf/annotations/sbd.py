"""SBD, the Semantic Boundaries Dataset (Hariharan et al., ICCV 2011): masks of PASCAL VOC photographs in .mat files.

Layout: img/NAME.jpg, inst/NAME.mat, cls/NAME.mat and the lists train.txt and val.txt. The split of the paper's VOC
experiments (5,623 train and 5,732 val images, from SDS) is not SBD's own: give VOC2012's lists for detection,
ImageSets/Main/train.txt and val.txt; their images without masks here are left out.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import scipy.io

from ifcn_tf.annotations.example import Loaded, Source
from ifcn_tf.annotations.label_images import VOC_CATEGORIES, ImageLeftOutError, load_labelled, source_of_names


def sbd_source(root: Path, names: Path) -> Source:
    """Opens the photographs of a list.

    Args:
        root: holds img/, inst/ and cls/.
        names: text file, one name a line.

    Raises:
        UserError: the list cannot be read.
    """
    return source_of_names(names, functools.partial(_load, root), VOC_CATEGORIES)


def _load(root: Path, name: str) -> Loaded:
    instances = functools.partial(open_mat, root / "inst" / f"{name}.mat", "GTinst")
    classes = functools.partial(open_mat, root / "cls" / f"{name}.mat", "GTcls")
    return load_labelled(root / "img" / f"{name}.jpg", instances, classes)


def open_mat(path: Path, variable: str, field: str = "Segmentation") -> np.ndarray:
    """A matrix of a MATLAB structure: "Segmentation", int [H, W], or "Categories", int [N, 1]; or ImageLeftOutError."""
    try:
        return scipy.io.loadmat(str(path))[variable][field][0, 0].astype(np.int64)
    except FileNotFoundError as error:
        raise ImageLeftOutError("missing mask", f"{path}: no such file") from error
    except Exception as error:  # whatever the parser meets in a damaged file
        raise ImageLeftOutError("malformed mask", f"{path}: {type(error).__name__}: {error}") from error
