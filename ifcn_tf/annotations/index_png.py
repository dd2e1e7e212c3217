"""Index PNGs: one picture a photograph whose values are the numbers of its objects, as DAVIS and others have it.

0 is background and 255 belongs to no object, as in VOC. Objects have no classes.
"""

from __future__ import annotations

import functools
from pathlib import Path

from ifcn_tf.annotations.example import Example, Job, Loaded, Source
from ifcn_tf.annotations.label_images import Labels, objects_of, open_labels
from ifcn_tf.annotations.reading import ImageLeftOutError, photographs_by_stem, read_image, with_learnable
from ifcn_tf.common.files import UserError


def index_png_source(images: Path, masks: Path) -> Source:
    """Opens all PNGs of a folder.

    Args:
        images: folder of the photographs.
        masks: folder of the PNGs, each of its photograph's name.

    Raises:
        UserError: a folder cannot be read, or there is no PNG.
    """
    photographs = photographs_by_stem(images)
    paths = sorted(masks.glob("*.png"))
    if not paths:
        raise UserError(f"no PNG in {masks}: give the folder of the index PNGs (--annotations).")
    jobs: list[Job] = [functools.partial(_load, photographs.get(path.stem, images / path.stem), path) for path in paths]
    return Source({}, len(jobs), jobs)


def _load(photograph: Path, path: Path) -> Loaded:
    try:
        encoded, size_hw = read_image(photograph)
        instances = open_labels(path)
        if instances.shape != size_hw:
            raise ImageLeftOutError("mask of another size", f"{path}: labels {instances.shape}, image {size_hw}")
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    example = Example(path.stem, photograph.name, size_hw, (), encoded)
    return with_learnable(example, str(path), objects_of(Labels(instances, None)))
