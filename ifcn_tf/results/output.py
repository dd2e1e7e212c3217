"""What a run writes of its images, and where: files of one image at once, files of all images in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError, naming
from ifcn_tf.common.progress import track
from ifcn_tf.config.proposing import ShownConfig
from ifcn_tf.masks.outlines import simplifier
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import ImageProposals
from ifcn_tf.results.formats.registry import FORMATS, require_writable
from ifcn_tf.results.parts import merge_parts, parts_folder, read_part, remove_parts, write_part


@dataclasses.dataclass(frozen=True)
class Failure:
    """An image without proposals, and the reason in one sentence."""

    path: Path
    reason: str


@dataclasses.dataclass(frozen=True)
class Output:
    """What is written of images, and where.

    Attributes:
        folder: made when absent.
        formats: names of `FORMATS`, in which some proposals are written for people or tools to look at, or all of them
            where the format is `complete`.
        shown: which proposals these are.
        simplify: largest distance of polygons from the outlines of masks [px].
    """

    folder: Path
    formats: Sequence[str] = ("overlays",)
    shown: ShownConfig = dataclasses.field(default_factory=ShownConfig)
    simplify: float = 0.0

    def require_writable(self, paths: Sequence[Path]) -> None:
        """Raises UserError where a package that the files need is not installed, or they cannot be of these images."""
        if self.simplify:
            simplifier()
        require_writable(self.formats, paths)
        for place in (parts_folder(self.folder), *map(self.place, self.formats)):
            if place.is_symlink():
                raise UserError(f"{place} is a link, and nothing is written outside of {self.folder}: remove it.")

    def place(self, name: str) -> Path:
        """The folder or file of a format."""
        return self.folder / (name + FORMATS[name].suffix)

    def remove_earlier(self) -> None:
        """Removes the files of an earlier run that would be taken for those of the next, should that write none."""
        remove_parts(self.folder)
        files = [self.place(name) for name in self.formats if FORMATS[name].suffix]
        for file in (self.folder / "proposals.json", *files):
            with naming(file):
                file.unlink(missing_ok=True)

    def written(self, some: bool) -> list[Path]:
        """The files and folders for people, of which there are all where some images have proposals."""
        names = [name for name in self.formats if some or FORMATS[name].complete]
        return [self.folder / "proposals.json"] * some + [self.place(name) for name in names]

    def write(self, path: Path, image: np.ndarray, proposals: Proposals) -> None:
        """Writes the files of one image: those of formats that have one each, and its COCO results."""
        best = proposals.distinct(self.shown)
        for name in self.formats:
            if not FORMATS[name].suffix:
                FORMATS[name].write([ImageProposals(path, best, image)], self.place(name), self.simplify)
        write_part(self.folder, path, proposals)  # last: it marks the image as done

    def write_of_all(self, paths: Sequence[Path], failed: Mapping[Path, Failure], settings: dict[str, Any]) -> None:
        """Writes the files that hold all images: proposals.json, and those of some formats.

        Args:
            paths: the images, of which each is written or failed.
            failed: those that failed; complete formats say why, and are all that is written where none is left.
            settings: of the run (`run_settings`).
        """
        done = [path for path in paths if path not in failed]
        if done:
            merge_parts(self.folder, done)
        for name in self.formats:
            if FORMATS[name].suffix and (done or FORMATS[name].complete):
                images = self._found(track(paths, len(paths), name), failed, settings, FORMATS[name].complete)
                FORMATS[name].write(images, self.place(name), self.simplify)

    def _found(
        self, paths: Iterable[Path], failed: Mapping[Path, Failure], settings: dict[str, Any], complete: bool
    ) -> Iterator[ImageProposals]:
        categories = {int(number): name for number, name in settings.get("categories", {}).items()}
        for path in paths:
            if path not in failed:
                proposals = read_part(self.folder, path, categories)
                yield ImageProposals(path, proposals if complete else proposals.distinct(self.shown))
            elif complete:
                yield ImageProposals.failed(path, failed[path].reason)
