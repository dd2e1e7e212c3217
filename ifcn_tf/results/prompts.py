"""A predictor whose proposals are those that somebody points at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.config.proposing import PromptConfig
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.folder import AnyPredictor


class Prompted:
    """Any predictor, of whose proposals only those stay that a prompt asks for.

    Args:
        predictor: reads images and proposes their objects.
        prompt: which of them are wanted.
    """

    def __init__(self, predictor: AnyPredictor, prompt: PromptConfig) -> None:
        self._predictor, self._prompt = predictor, prompt

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the proposals, as JSON types."""
        return {**self._predictor.settings, "prompt": self._prompt.to_dict()}

    def propose_file(self, path: Path) -> tuple[np.ndarray, Proposals]:
        """An image file's pixels, uint8 [H, W, 3], and the proposals that are wanted.

        Raises:
            BadImageError: a bad file, or the point lies outside of the image.
        """
        image, proposals = self._predictor.propose_file(path)
        if self._prompt.box_yxyx:
            proposals = proposals.within(self._prompt.box_yxyx)
        if self._prompt.point:
            try:
                proposals = proposals.at(*self._prompt.point)
            except UserError as error:
                raise BadImageError(f"{path}: {error}") from error
        return image, proposals
