"""One COCO result after the other, checked: what is accepted, and what is refused with a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import ImageId, canonical_id, examples
from ifcn_tf.masks.coco_forms import DAMAGED, UnusableError, are_finite, box_xywh, compressed_counts
from ifcn_tf.masks.rle import are_whole
from ifcn_tf.results.stream import read_entries

#: Results whose run lengths are checked at a time; more do not fit the processor's cache.
_BATCH = 300
_LARGEST_NUMBER = 2**31 - 1


class Entry(NamedTuple):
    """A result that may be used.

    Attributes:
        where: it comes from, for messages: "FILE, result 7".
        image_id: of the truth, as `canonical_id` writes it.
        score: finite.
        rank: in the order of its image, from 0; 0 of all where the file states none, and scores alone order results.
        box_xywh: four finite numbers [px], or NO_BOX.
        counts: compressed run lengths, or none where results are boxes only.
        category_id: what the file states, or 0 where that is no number: of proposals nobody asks for it.
        label: name of the category, as `propose --classify` writes it; empty where the file states none.
    """

    where: str
    image_id: ImageId
    score: float
    rank: int
    box_xywh: Sequence[float]
    counts: bytes
    category_id: int
    label: str


class EntryReader:
    """Reads the results of some files; category ids are not checked, since proposals have no class.

    A result names its image by the id that the truth gives it, or else by the name of the image's file as `id_of_file`
    writes it (`propose` knows no other id). One way has to do for all results: where an id and a file's name are equal,
    the id counts.

    Attributes:
        has_masks: whether results have a segmentation; None before the first.
    """

    def __init__(
        self, source: str, sizes: Mapping[ImageId, tuple[int, int]], ids_of_names: Mapping[ImageId, ImageId]
    ) -> None:
        """Prepares reading.

        Args:
            source: names all files in messages.
            sizes: (height, width) [px] of the images that the truth knows, by id.
            ids_of_names: ids of these images by the names of their files, see `Truth`.
        """
        self.has_masks: bool | None = None
        self._has_ranks: bool | None = None
        self._source, self._sizes, self._ids_of_names = source, sizes, ids_of_names
        self._by_id: ImageId | None = None
        self._by_name: ImageId | None = None
        self._known = self._unknown = 0
        self._strangers: dict[ImageId, None] = {}

    def read(self, paths: Sequence[Path]) -> Iterator[Entry]:
        """Results of all files in turn.

        Raises:
            UserError: no results JSON, an image that the truth does not know (after the last result, with their count),
                some images by id and some by name, a mask of another size than its image or whose runs do not fill it,
                a score, rank or box that is no number.
        """
        batch: list[Entry] = []
        for path in paths:
            for number, content in enumerate(read_entries(path)):
                if entry := self._check(f"{path}, result {number}", content):
                    batch.append(entry)
                if len(batch) == _BATCH:
                    yield from self._with_whole_runs(batch)
                    batch = []
        yield from self._with_whole_runs(batch)
        self._require_known_images()
        self._require_one_way()

    def _check(self, where: str, content: dict[str, Any]) -> Entry | None:
        """None if the truth does not know the image."""
        stated_id = canonical_id(content.get("image_id"))
        if stated_id is None:
            raise UserError(f"{where}: its image_id is {content.get('image_id')!r}, a whole number or text is needed.")
        image_id = self._id_in_truth(stated_id)
        if image_id is None:
            self._unknown += 1
            self._strangers.setdefault(stated_id)
            return None
        self._known += 1
        score: Any = content.get("score")
        if not are_finite([score]):
            its = "it has no score" if score is None else f"its score is {score!r}"
            raise UserError(f"{where}: {its}, a finite number is needed to rank it.")
        try:
            box, counts = box_xywh(content), self._counts(where, content, image_id)
        except UnusableError as error:
            raise UserError(f"{where}: {error}.") from error
        category_id: Any = content.get("category_id")
        known = type(category_id) is int and abs(category_id) <= _LARGEST_NUMBER
        rank, label = self._rank(where, content), content.get("label")
        label = label if known and isinstance(label, str) else ""
        return Entry(where, image_id, float(score), rank, box, counts, category_id if known else 0, label)

    def _rank(self, where: str, content: dict[str, Any]) -> int:
        rank = content.get("rank")
        if self._has_ranks is None:
            self._has_ranks = rank is not None
        if self._has_ranks != (rank is not None):
            raise UserError(f"{where}: some results have a rank and some have none; separate them.")
        if rank is None:
            return 0
        if type(rank) is not int or not 0 <= rank <= _LARGEST_NUMBER:
            raise UserError(f"{where}: its rank is {rank!r}, a whole number from 0 on is needed.")
        return rank

    def _id_in_truth(self, stated_id: ImageId) -> ImageId | None:
        """None if the truth knows neither such an id nor such a file."""
        named = self._ids_of_names.get(stated_id)
        if stated_id in self._sizes:
            if named != stated_id:
                self._by_id = stated_id
            return stated_id
        if named is not None:
            self._by_name = stated_id
        return named

    def _counts(self, where: str, content: dict[str, Any], image_id: ImageId) -> bytes:
        segmentation = content.get("segmentation")
        if segmentation is None and content.get("bbox") is None:
            raise UserError(f"{where}: it has neither a segmentation nor a bbox.")
        if self.has_masks is None:
            self.has_masks = segmentation is not None
        if self.has_masks != (segmentation is not None):
            raise UserError(f"{where}: some results have a segmentation and some have none; separate them.")
        return b"" if segmentation is None else compressed_counts(segmentation, self._sizes[image_id])

    def _with_whole_runs(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        if self.has_masks and batch:
            areas = np.array([math.prod(self._sizes[entry.image_id]) for entry in batch])
            whole = are_whole([entry.counts for entry in batch], areas)
            if not whole.all():
                where = batch[int(whole.argmin())].where
                raise UserError(f"{where}: {DAMAGED}.")
        return batch

    def _require_known_images(self) -> None:
        if self._unknown:
            raise UserError(
                f"{self._unknown} of {self._known + self._unknown} results in {self._source} are of unknown images "
                f"(ids {examples(list(self._strangers))}; known are {examples(list(self._sizes))}): give the truth or "
                "the photographs that belong to them."
            )

    def _require_one_way(self) -> None:
        if self._by_id is not None and self._by_name is not None:
            raise UserError(
                f"{self._source}: in the truth its image_id {self._by_id} is the id of an image, {self._by_name} only "
                "the name of a file: renumber the truth's images so that no file has another image's id for a name."
            )
