"""What formats are given: photographs, and the proposals that are written of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from ifcn_tf.common.ids import ImageId, id_of_file
from ifcn_tf.proposals import Proposals

#: The name of what proposals are, wherever a format wants one: they have no class.
LABEL = "object"


@dataclasses.dataclass(frozen=True)
class ImageProposals:
    """One photograph.

    Attributes:
        path: of its file.
        proposals: best first.
    """

    path: Path
    proposals: Proposals

    @property
    def image_id(self) -> ImageId:
        """The photograph's id in COCO results."""
        return id_of_file(self.path)


#: Consumed one by one, so that memory does not grow with their number.
Images = Iterable[ImageProposals]
