"""Proposals that some program wrote, image by image, for any of the formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import ImageId
from ifcn_tf.images.files import upright_size
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import ImageProposals, Images
from ifcn_tf.results.reader import read_results

#: Takes a path or pattern of files and the photographs by their ids; hands out those that the files have results of.
Reader = Callable[[str, Mapping[ImageId, Path]], Iterator[ImageProposals]]


class Sizes(Mapping[ImageId, tuple[int, int]]):
    """Height and width [px] of photographs by their ids; each is looked up in its file when it is first asked for."""

    def __init__(self, paths: Mapping[ImageId, Path]) -> None:
        self._paths = paths
        self._sizes: dict[ImageId, tuple[int, int]] = {}

    def __getitem__(self, image_id: ImageId) -> tuple[int, int]:
        if image_id not in self._sizes:
            self._sizes[image_id] = upright_size(self._paths[image_id])
        return self._sizes[image_id]

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._paths

    def __iter__(self) -> Iterator[ImageId]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def coco_results(pattern: str, paths: Mapping[ImageId, Path]) -> Iterator[ImageProposals]:
    """Reads COCO results of masks; memory grows by about 44 bytes a result, see `read_results`.

    Raises:
        UserError: what `read_results` refuses, and results that are boxes.
    """
    sizes = Sizes(paths)
    results = read_results(pattern, sizes)
    if not results.has_masks:
        raise UserError(f"{pattern} holds boxes without masks: formats of masks need a segmentation of each result.")
    for image_id in (image_id for image_id, count in results.counts().items() if count):
        found = results.of(image_id)
        numbers = found.category_ids if results.categories else None
        scores = found.scores.astype(np.float32)
        proposals = Proposals(sizes[image_id], scores, found.rles, numbers, results.categories)
        yield ImageProposals(paths[image_id], proposals[proposals.areas() > 0])


#: Readers by the names of what they read.
READERS: dict[str, Reader] = {"coco_results": coco_results}


def chosen(images: Images, min_score: float, distinct: int | None) -> Iterator[ImageProposals]:
    """The proposals of `min_score` or more and, where `distinct` is given, the best so many that hardly overlap."""
    for image in images:
        proposals = image.proposals[image.proposals.scores >= min_score]
        if distinct is not None:
            proposals = proposals.apart(distinct)
        yield ImageProposals(image.path, proposals)
