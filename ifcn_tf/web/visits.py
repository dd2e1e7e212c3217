"""The photographs that visitors drop on the page, in memory only, and what each visitor sees and took of them."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.images.files import ImageFile, decode, open_image
from ifcn_tf.proposals import Proposals
from ifcn_tf.web.choice import Choice, Wanted
from ifcn_tf.web.downloads import Chosen
from ifcn_tf.web.drawing import drawing

#: Pixels, uint8 [H, W, 3], to the proposals for them.
Propose = Callable[[np.ndarray], Proposals]


@dataclasses.dataclass
class Photograph:
    """One photograph of a visitor.

    Attributes:
        name: of its file.
        file: its content.
        proposals: None before the first `look`, and of a damaged file.
        drawing: of photograph and proposals (SVG); empty likewise.
        error: why there are none, in one sentence.
        choice: what was taken.
        box_yxyx: where masks are looked for [px]; None: everywhere.
    """

    name: str
    file: ImageFile
    proposals: Proposals | None = None
    drawing: str = ""
    error: str = ""
    choice: Choice = dataclasses.field(default_factory=Choice)
    box_yxyx: tuple[float, float, float, float] | None = None

    def look(self, propose: Propose) -> None:
        """Proposes masks and draws them, the first time."""
        if self.proposals is None and not self.error:
            try:
                image = decode(self.file, Path(self.name))
                self.proposals = propose(image)
                self.drawing = drawing(image, self.proposals)
            except UserError as error:
                self.error = str(error)

    def good(self, wanted: Wanted) -> np.ndarray:
        """Indices of the proposals that are shown and can be taken, int64 [n]."""
        if self.proposals is None:
            return np.zeros(0, np.int64)
        return dataclasses.replace(wanted, box_yxyx=self.box_yxyx).of(self.proposals)

    def click(self, wanted: Wanted, point_yx: tuple[float, float], add: bool) -> None:
        """Takes the mask under a point (`Choice.click`)."""
        if self.proposals is not None:
            self.choice.click(self.proposals, self.good(wanted), point_yx, add)

    def view(self, wanted: Wanted) -> dict[str, Any]:
        """What `stage.js` shows of the drawing, as JSON types: indices `good` and `taken`, and the box [px]."""
        return {"good": self.good(wanted).tolist(), "taken": self.choice.taken, "box_yxyx": self.box_yxyx}

    def chosen(self) -> Chosen:
        """What is downloaded of this photograph; something of it was taken."""
        assert self.proposals is not None
        return Chosen(self.name, self.file.encoded, self.proposals[sorted(self.choice.taken)])


class Visit:
    """The photographs of one visitor, one of which is looked at.

    Args:
        limit: photographs at most.
        max_pixels: larger images are refused.
    """

    def __init__(self, limit: int, max_pixels: int) -> None:
        self.photographs: list[Photograph] = []
        self.position = 0
        self._limit, self._max_pixels = limit, max_pixels

    @property
    def current(self) -> Photograph | None:
        """The photograph that is looked at; None before there is one."""
        return self.photographs[self.position] if self.photographs else None

    def add(self, paths: Sequence[Path]) -> list[str]:
        """Reads image files and turns to the first of them; returns one sentence for each that is refused."""
        before, refused = len(self.photographs), list[str]()
        for path in paths:
            try:
                self._add(path)
            except UserError as error:
                refused.append(str(error).replace(str(path), path.name))
        if len(self.photographs) > before:
            self.position = before
        return refused

    def _add(self, path: Path) -> None:
        if len(self.photographs) >= self._limit:
            raise UserError(f"{path} is one too many: {self._limit} photographs are taken; reload the page for others.")
        self.photographs.append(Photograph(self._free_name(path), open_image(path, self._max_pixels)))

    def _free_name(self, path: Path) -> str:
        """The name of a file, with a number where another one has its stem: files are written by their stems."""
        stems, stem, number = {Path(photograph.name).stem for photograph in self.photographs}, path.stem, 1
        while stem in stems:
            number += 1
            stem = f"{path.stem}-{number}"
        return stem + path.suffix

    def turn(self, step: int) -> None:
        """Goes on by so many photographs, round and round."""
        self.position = (self.position + step) % max(1, len(self.photographs))

    def chosen(self) -> list[Chosen]:
        """What is downloaded: the photographs of which something was taken."""
        return [photograph.chosen() for photograph in self.photographs if photograph.choice.taken]

    def summary(self, wanted: Wanted) -> str:
        """Which photograph this is, how many masks are shown and how many taken, in one line."""
        if self.current is None:
            return ""
        shown, taken = len(self.current.good(wanted)), len(self.current.choice.taken)
        elsewhere = sum(len(photograph.choice.taken) for photograph in self.photographs) - taken
        others = f" (and {elsewhere} of other photographs)" if elsewhere else ""
        place = f"{self.current.name}, {self.position + 1} of {len(self.photographs)}"
        return self.current.error or f"{place}: {shown} masks shown, {taken} taken{others}"


class Visits:
    """The visits of all visitors; for one more than `visitors` the one that was silent the longest is forgotten.

    Args:
        visitors: at once.
        limit: photographs a visitor.
        max_pixels: larger images are refused.
    """

    def __init__(self, visitors: int, limit: int, max_pixels: int) -> None:
        self._visits: collections.OrderedDict[str, Visit] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._visitors, self._limit, self._max_pixels = visitors, limit, max_pixels

    def __len__(self) -> int:
        return len(self._visits)

    def of(self, visitor: str) -> Visit:
        """The visit of a visitor, a new one if there is none."""
        with self._lock:
            visit = self._visits.setdefault(visitor, Visit(self._limit, self._max_pixels))
            self._visits.move_to_end(visitor)
            if len(self._visits) > self._visitors:
                self._visits.popitem(last=False)
            return visit

    def forget(self, visitor: str) -> None:
        """Ends a visit: nothing of its photographs is kept."""
        with self._lock:
            self._visits.pop(visitor, None)
