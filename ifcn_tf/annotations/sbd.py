"""SBD, the Semantic Boundaries Dataset (Hariharan et al., ICCV 2011): masks of PASCAL VOC photographs in .mat files.

Layout: img/NAME.jpg, inst/NAME.mat and the lists train.txt and val.txt. The split of the paper's VOC experiments (5,623
train and 5,732 val images, from SDS) is not SBD's own: give VOC2012's lists for detection, ImageSets/Main/train.txt and
val.txt; their images without masks here are left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io

from ifcn_tf.annotations.example import Source
from ifcn_tf.annotations.label_images import Labels, Layout, labelled_source, numbers_of
from ifcn_tf.annotations.reading import ImageLeftOutError
from ifcn_tf.common.classes import VOID


def sbd_source(root: Path, names: Path) -> Source:
    """Opens the photographs of a list.

    Args:
        root: holds img/ and inst/.
        names: text file, one name a line.

    Raises:
        UserError: the list cannot be read.
    """
    return labelled_source(SBD, root, names)


def _read(root: Path, name: str) -> Labels:
    """`Categories` has the class of object 1, 2, ... in turn, also of one that no pixel of `Segmentation` shows."""
    path = root / "inst" / f"{name}.mat"
    try:
        content = scipy.io.loadmat(str(path))["GTinst"][0, 0]
        instances, categories = (content[field].astype(np.int64) for field in ("Segmentation", "Categories"))
    except FileNotFoundError as error:
        raise ImageLeftOutError("missing mask", f"{path}: no such file") from error
    except Exception as error:  # whatever the parser meets in a damaged file
        raise ImageLeftOutError("malformed mask", f"{path}: {type(error).__name__}: {error}") from error
    of_objects = dict(enumerate(categories.ravel().tolist(), start=1))
    return Labels(instances, of_objects, _painted(instances, of_objects))


def _painted(instances: np.ndarray, categories: dict[int, int]) -> np.ndarray:
    """The class of each pixel, int64 [H, W]: that of its object, and VOID of an object that has none."""
    table = np.full(max(VOID, instances.max(initial=0)) + 1, VOID)
    table[0] = 0
    for number in numbers_of(instances):
        table[number] = categories.get(number, VOID)
    return table[instances]


SBD = Layout("img", "inst", ".mat", ".", _read)
