"""Reading COCO results, of any method and size: checked on the way in, kept on disk, handed out image by image."""

from __future__ import annotations

import array
import dataclasses
import glob
import math
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.evaluation.runs import are_whole
from ifcn_tf.evaluation.stream import read_entries
from ifcn_tf.files import UserError
from ifcn_tf.masks import Rle

ImageId = int | str
#: Results checked at a time.
_BATCH = 300
_BOX = struct.Struct("4d")
_NO_BOX = (math.nan,) * 4


@dataclasses.dataclass(frozen=True)
class ImageResults:
    """The results of one image, best first; equal scores in an order that the results alone determine.

    Attributes:
        rles: n masks; none where the file holds boxes only.
        boxes_xywh: float64 [n, 4], the file's `bbox` or the mask's tight box [px].
        scores: float64 [n].
        duplicates: results left out because they repeat another one, mask, box and score.
    """

    rles: list[Rle]
    boxes_xywh: np.ndarray
    scores: np.ndarray
    duplicates: int = 0

    def __len__(self) -> int:
        return len(self.scores)

    def best(self, count: int) -> ImageResults:
        """The first `count` results."""
        return ImageResults(self.rles[:count], self.boxes_xywh[:count], self.scores[:count], self.duplicates)


class Results:
    """Results of many images, in a temporary file without a name; memory holds 20 bytes of each.

    Attributes:
        has_masks: False when the results are boxes only.
    """

    def __init__(self, sizes: Mapping[ImageId, tuple[int, int]]) -> None:
        self.has_masks = True
        self._sizes = sizes
        self._index = {image_id: number for number, image_id in enumerate(sizes)}
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        self._image, self._score, self._end = array.array("i"), array.array("d"), array.array("q", [0])
        self._rows: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self._score)

    def add(self, image_id: ImageId, score: float, box_xywh: Sequence[float], counts: bytes) -> None:
        """Keeps one result; no box is four NaN, no mask is b""."""
        record = _BOX.pack(*box_xywh) + counts
        self._file.write(record)
        self._image.append(self._index[image_id])
        self._score.append(score)
        self._end.append(self._end[-1] + len(record))
        self._rows = None

    def counts(self) -> dict[ImageId, int]:
        """Number of results of each image that the truth knows."""
        counts = np.bincount(np.asarray(self._image, np.int64), minlength=len(self._sizes))
        return dict(zip(self._sizes, counts.tolist(), strict=True))

    def of(self, image_id: ImageId) -> ImageResults:
        """The results of one image, best first, without duplicates."""
        order, bounds = self._rows = self._rows or self._sort()
        number = self._index[image_id]
        rows = order[bounds[number] : bounds[number + 1]].tolist()
        entries = [(-self._score[row], self._record(row)) for row in rows]
        distinct = sorted(set(entries))
        height, width = self._sizes[image_id]
        texts = [record[_BOX.size :].decode() for _, record in distinct]
        rles = [Rle(size=[height, width], counts=text) for text in texts] if self.has_masks else []
        boxes = np.array([_BOX.unpack_from(record) for _, record in distinct]).reshape(-1, 4)
        missing = np.flatnonzero(np.isnan(boxes[:, 0]))
        if len(missing):
            boxes[missing] = coco_mask.toBbox([rles[i] for i in missing])
        scores = np.array([-negative for negative, _ in distinct])
        return ImageResults(rles, boxes, scores, len(entries) - len(distinct))

    def _sort(self) -> tuple[np.ndarray, np.ndarray]:
        self._file.flush()
        image = np.asarray(self._image)
        order = np.argsort(image, kind="stable")
        return order, np.searchsorted(image[order], np.arange(len(self._sizes) + 1))

    def _record(self, row: int) -> bytes:
        return os.pread(self._file.fileno(), self._end[row + 1] - self._end[row], self._end[row])


def read_results(pattern: str, sizes: Mapping[ImageId, tuple[int, int]]) -> Results:
    """Reads COCO results: masks (run lengths, compressed or not, or polygons), boxes, or both.

    Category ids are not looked at: proposals have no class.

    Args:
        pattern: a JSON file, or a glob pattern of parts; each may be gzipped.
        sizes: (height, width) [px] of every image that the truth knows, by id.

    Returns:
        The results. Memory grows by 20 bytes a result, whatever the length of its mask.

    Raises:
        UserError: no such file, no results JSON, an image that the truth does not know, a mask of another size than its
            image or whose runs do not fill it, a score or box that is no finite number.
    """
    results, reader = Results(sizes), _Reader(pattern, sizes)
    for batch in _batches(reader.entries()):
        reader.check_runs(batch)
        for _, image_id, score, box, counts in batch:
            results.add(image_id, score, box, counts)
    reader.check_images()
    results.has_masks = reader.has_masks is not False
    return results


def find_files(pattern: str) -> list[Path]:
    """Files of a path or glob pattern, sorted; raises UserError when there is none."""
    paths = [Path(pattern)] if Path(pattern).is_file() else sorted(map(Path, glob.glob(pattern, recursive=True)))
    files = [path for path in paths if path.is_file()]
    if not files:
        raise UserError(f"no results file at {pattern}: give a JSON file or a quoted pattern of several.")
    return files


def canonical_id(image_id: Any) -> ImageId | None:
    """An image id as this project writes it: "000000000139" and 139 are 139, other texts stay; None if it is no id."""
    if isinstance(image_id, str):
        return int(image_id) if image_id.isdecimal() and image_id.isascii() else image_id
    return image_id if isinstance(image_id, int) and not isinstance(image_id, bool) else None


def examples(values: Sequence[Any], count: int = 3) -> str:
    """The first few values and, if there are more, an ellipsis."""
    return ", ".join(map(str, values[:count])) + (", ..." if len(values) > count else "")


#: Where a result comes from ("FILE, result 7"), image id, score, box and compressed run lengths.
_Result = tuple[str, ImageId, float, Sequence[float], bytes]


def _batches(entries: Iterator[_Result]) -> Iterator[list[_Result]]:
    batch: list[_Result] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


class _Reader:
    """Checks results one by one, and remembers what can only be judged at the end."""

    def __init__(self, pattern: str, sizes: Mapping[ImageId, tuple[int, int]]) -> None:
        self.pattern, self.sizes = pattern, sizes
        self.has_masks: bool | None = None
        self._known = self._unknown = 0
        self._strangers: dict[ImageId, None] = {}

    def entries(self) -> Iterator[_Result]:
        for path in find_files(self.pattern):
            for number, entry in enumerate(read_entries(path)):
                result = self._check(f"{path}, result {number}", entry)
                if result:
                    yield result

    def _check(self, where: str, entry: Any) -> _Result | None:
        image_id = canonical_id(entry.get("image_id")) if isinstance(entry, dict) else None
        if image_id is None:
            raise UserError(f"{where}: an object with an image_id (a whole number or a text) is expected.")
        if image_id not in self.sizes:
            self._unknown += 1
            self._strangers.setdefault(image_id)
            return None
        self._known += 1
        score = entry.get("score")
        if not _are_finite([score]):
            raise UserError(f"{where}: its score is {score!r}, a finite number is needed to rank it.")
        return where, image_id, float(score), self._box(where, entry), self._counts(where, entry, image_id)

    def _box(self, where: str, entry: dict[str, Any]) -> Sequence[float]:
        box = entry.get("bbox")
        if box is None:
            return _NO_BOX
        if not (isinstance(box, list) and len(box) == 4 and _are_finite(box)):
            raise UserError(f"{where}: its bbox is {box!r}, four finite numbers (x, y, width, height) are needed.")
        return box

    def _counts(self, where: str, entry: dict[str, Any], image_id: ImageId) -> bytes:
        segmentation = entry.get("segmentation")
        if segmentation is None and entry.get("bbox") is None:
            raise UserError(f"{where}: it has neither a segmentation nor a bbox.")
        if self.has_masks is None:
            self.has_masks = segmentation is not None
        if self.has_masks != (segmentation is not None):
            raise UserError(f"{where}: some results have a segmentation and some have none; evaluate them apart.")
        return b"" if segmentation is None else compressed_counts(where, segmentation, self.sizes[image_id])

    def check_runs(self, batch: Sequence[_Result]) -> None:
        """Raises UserError when a mask's runs do not fill its image."""
        if self.has_masks and batch:
            areas = np.array([math.prod(self.sizes[image_id]) for _, image_id, *_ in batch])
            whole = are_whole([counts for *_, counts in batch], areas)
            if not whole.all():
                raise UserError(
                    f"{batch[int(whole.argmin())][0]}: its run lengths are damaged, they do not add up to its size."
                )

    def check_images(self) -> None:
        """Raises UserError when results name images that the truth does not know."""
        if self._unknown:
            raise UserError(
                f"{self._unknown} of {self._known + self._unknown} results in {self.pattern} are of images that the "
                f"truth does not know (ids {examples(list(self._strangers))}; it has {examples(list(self.sizes))}): "
                "give the truth that belongs to them."
            )


def compressed_counts(where: str, segmentation: Any, size_hw: tuple[int, int]) -> bytes:
    """COCO's compressed run lengths of any form of segmentation.

    Args:
        where: what the error names.
        segmentation: {"size", "counts"} with counts compressed (text) or not (list), or a list of polygons.
        size_hw: of the image [px].

    Raises:
        UserError: another form, or a mask of another size.
    """
    try:
        if isinstance(segmentation, list):
            return coco_mask.merge(coco_mask.frPyObjects(segmentation, *size_hw))["counts"]
        size, counts = tuple(segmentation["size"]), segmentation["counts"]
        if size == tuple(size_hw):
            if isinstance(counts, str):
                return counts.encode("ascii")
            return coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size_hw)["counts"]
    except Exception as error:  # pycocotools raises bare Exception on forms that it does not know
        raise UserError(f"{where}: its segmentation is neither run lengths nor polygons.") from error
    raise UserError(
        f"{where}: its mask is {' x '.join(map(str, size))} (height x width), its image {size_hw[0]} x {size_hw[1]}."
    )


def _are_finite(values: Sequence[Any]) -> bool:
    return all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) for value in values
    )
