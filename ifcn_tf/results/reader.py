"""Reading COCO results, of any method and size: checked on the way in, kept on disk, handed out image by image."""

from __future__ import annotations

import array
import dataclasses
import glob
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.common.files import UserError, naming
from ifcn_tf.common.ids import ImageId
from ifcn_tf.masks.rle import Rle
from ifcn_tf.results.checks import Entry, EntryReader

#: The box and the category of a result, before its run lengths.
_HEAD = struct.Struct("4dq")


@dataclasses.dataclass(frozen=True)
class ImageResults:
    """The results of one image, best first: by rank where they state one, then by score.

    Equal ones are in an order that the results alone determine.

    Attributes:
        rles: n masks; none where the file holds boxes only.
        boxes_xywh: float64 [n, 4], the file's `bbox` or the mask's tight box [px].
        scores: float64 [n].
        category_ids: int64 [n], 0 where the file states none.
        repeated: results of the image that repeat another one, mask, box, category and score.
    """

    rles: list[Rle]
    boxes_xywh: np.ndarray
    scores: np.ndarray
    category_ids: np.ndarray
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.scores)

    def best(self, count: int) -> ImageResults:
        """The first `count` results."""
        return self._chosen(slice(count), self.repeated)

    def of_category(self, category_id: int) -> ImageResults:
        """The results of one category."""
        return self._chosen(np.flatnonzero(self.category_ids == category_id), 0)

    def _chosen(self, rows: slice | np.ndarray, repeated: int) -> ImageResults:
        rles = [self.rles[row] for row in np.arange(len(self.rles))[rows]]
        return ImageResults(rles, self.boxes_xywh[rows], self.scores[rows], self.category_ids[rows], repeated)


class Results:
    """Results of many images, in a temporary file without a name; memory holds about 44 bytes of each.

    Attributes:
        has_masks: False when the results are boxes only.
        categories: names of categories by number, as far as results state them.
    """

    def __init__(self, sizes: Mapping[ImageId, tuple[int, int]]) -> None:
        self.has_masks = True
        self.categories: dict[int, str] = {}
        self._sizes = sizes
        self._index = {image_id: number for number, image_id in enumerate(sizes)}
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        self._image, self._rank = array.array("i"), array.array("i")
        self._score, self._end = array.array("d"), array.array("q", [0])
        self._rows: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self._score)

    def add(self, entry: Entry) -> None:
        """Keeps one result; raises UserError where temporary files have no room."""
        record = _HEAD.pack(*entry.box_xywh, entry.category_id) + entry.counts
        with naming(Path(tempfile.gettempdir())):
            self._file.write(record)
        if entry.label:
            self.categories[entry.category_id] = entry.label
        self._image.append(self._index[entry.image_id])
        self._rank.append(entry.rank)
        self._score.append(entry.score)
        self._end.append(self._end[-1] + len(record))
        self._rows = None

    def counts(self) -> dict[ImageId, int]:
        """Number of results of each image that the truth knows."""
        counts = np.bincount(np.asarray(self._image, np.int64), minlength=len(self._sizes))
        return dict(zip(self._sizes, counts.tolist(), strict=True))

    def of(self, image_id: ImageId) -> ImageResults:
        """The results of one image, best first."""
        order, bounds = self._rows = self._rows or self._sort()
        number = self._index[image_id]
        rows = order[bounds[number] : bounds[number + 1]].tolist()
        entries = sorted((self._rank[row], -self._score[row], self._record(row)) for row in rows)
        height, width = self._sizes[image_id]
        records = [record for _, _, record in entries]
        texts = [record[_HEAD.size :].decode() for record in records]
        rles = [Rle(size=[height, width], counts=text) for text in texts] if self.has_masks else []
        heads = [_HEAD.unpack_from(record) for record in records]
        boxes = np.array([head[:4] for head in heads]).reshape(-1, 4)
        category_ids = np.array([head[4] for head in heads], np.int64)
        missing = np.flatnonzero(np.isnan(boxes[:, 0]))
        if len(missing):
            boxes[missing] = coco_mask.toBbox([rles[i] for i in missing])
        scores = np.array([-negative for _, negative, _ in entries])
        repeated = len(entries) - len({entry[1:] for entry in entries})
        return ImageResults(rles, boxes, scores, category_ids, repeated)

    def _sort(self) -> tuple[np.ndarray, np.ndarray]:
        with naming(Path(tempfile.gettempdir())):
            self._file.flush()
        image = np.asarray(self._image)
        order = np.argsort(image, kind="stable")
        return order, np.searchsorted(image[order], np.arange(len(self._sizes) + 1))

    def _record(self, row: int) -> bytes:
        return os.pread(self._file.fileno(), self._end[row + 1] - self._end[row], self._end[row])


def read_results(
    pattern: str, sizes: Mapping[ImageId, tuple[int, int]], ids_of_names: Mapping[ImageId, ImageId] | None = None
) -> Results:
    """Reads COCO results: masks (run lengths, compressed or not, or polygons), boxes, or both.

    Args:
        pattern: a JSON file, or a glob pattern of parts; each may be gzipped.
        sizes: (height, width) [px] of every image that the truth knows, by id.
        ids_of_names: ids of images by the names of their files, `Truth.ids_of_names`: results may use either.

    Returns:
        The results, by the truth's ids. Memory grows by about 44 bytes a result, whatever the length of its mask.

    Raises:
        UserError: no such file, or a result that `EntryReader.read` refuses.
    """
    results, reader = Results(sizes), EntryReader(pattern, sizes, ids_of_names or {})
    for entry in reader.read(find_files(pattern)):
        results.add(entry)
    results.has_masks = reader.has_masks is not False
    return results


def find_files(pattern: str) -> list[Path]:
    """Files of a path or glob pattern, sorted; raises UserError when there is none."""
    paths = [Path(pattern)] if Path(pattern).is_file() else sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 - patterns may be absolute
    files = [path for path in paths if path.is_file()]
    if not files:
        raise UserError(f"no results file at {pattern}: give a JSON file or a quoted pattern of several.")
    return files
