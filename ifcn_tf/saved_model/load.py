"""A proposer that comes from a SavedModel (`export.export`) instead of from weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from ifcn_tf.common.files import BadImageError, UserError, read_json
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.masks.paste import logits
from ifcn_tf.proposing.proposer import Tensors

#: What an export was made of, inside a version's folder; servers do not look there.
SETTINGS = Path("assets.extra") / "ifcn.json"


class ExportedProposer:
    """Proposes the objects of an image by an exported graph; to `Predictor` it is as good as a `Proposer`.

    Args:
        folder: of one version, or of all versions of a model, of which the highest is taken.

    Attributes:
        config: scales, thresholds and counts, as they were fixed at the export.
        settings: what determines the proposals, as JSON types; the same as of the weights that were exported.
        max_pixels: larger images are refused.

    Raises:
        UserError: there is no exported model, or it cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        path = version_folder(folder)
        self.settings: dict[str, Any] = read_json(path / SETTINGS)
        try:
            self.max_pixels: int = self.settings.pop("serving")["max_pixels"]
            self.config = ProposerConfig.from_dict(self.settings["proposer"])
        except (AttributeError, KeyError, TypeError, UserError) as error:
            if "segmenter" in self.settings:
                raise UserError(f"{path} names the class of each pixel and proposes nothing: take another.") from error
            raise UserError(f"{path / SETTINGS} is not what `ifcn-tf export` writes: export the model anew.") from error
        try:
            self._loaded = tf.saved_model.load(str(path))  # its signatures live no longer than it does
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise UserError(f"{path} is damaged, and cannot be loaded: {error}; export it anew.") from error

    def compile(self) -> Callable[[tf.Tensor], Tensors]:
        """A function as `Proposer.compile` gives it: uint8 [H, W, 3] -> scores, windows_yxyx, mask_logits and so on."""
        return self._propose

    def _propose(self, image: tf.Tensor) -> Tensors:
        answer = self._loaded.signatures["image_tensor"](image_tensor=image[None])
        if sentence := answer["error"][0].numpy():
            raise BadImageError(sentence.decode())
        if "mask_probabilities" in answer:
            answer["mask_logits"] = tf.constant(logits(answer["mask_probabilities"]), tf.float32)
        count = int(answer["num_proposals"][0])
        names = ("scores", "boxes_yxyx", "windows_yxyx", "mask_logits", "category_ids", "class_scores")
        return {name: answer[name][0, :count] for name in names if name in answer}


def versions(folder: Path) -> list[int]:
    """Numbers of the versions of a model, in no order; empty where there is no such folder."""
    return [int(path.name) for path in folder.glob("*") if path.name.isascii() and path.name.isdecimal()]


def version_folder(folder: Path) -> Path:
    """The folder itself where it is a version, else the highest version in it; raises UserError when there is none."""
    if not (folder / SETTINGS).exists() and versions(folder):
        folder = folder / str(max(versions(folder)))
    if not (folder / SETTINGS).exists():
        raise UserError(
            f"there is no model in {folder} that `ifcn-tf export` wrote: give its folder, or one version's."
        )
    return folder
