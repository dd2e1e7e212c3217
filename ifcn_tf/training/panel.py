"""One picture of what the network does with a photograph: maps, assembled masks and proposals, beside the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont
from scipy import special

from ifcn_tf.annotations.example import Example
from ifcn_tf.config.proposing import ProposerConfig, ShownConfig
from ifcn_tf.data.photographs import pixels_of
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.pictures.proposals import draw_proposals, heat, tile
from ifcn_tf.predictor import Predictor
from ifcn_tf.proposals import Proposals

Tensors = dict[str, tf.Tensor]
Arrays = dict[str, np.ndarray]
_PANEL_PX = 400
_CAPTION_PX = 22
_WINDOWS = 8  # drawn
_SHOWN = ShownConfig(count=12, min_score=0)  # proposals drawn, also of a network that is sure of none


def draw(
    network: WindowMethod, config: ProposerConfig, photograph: Example, example: tuple[Tensors, Tensors]
) -> np.ndarray:
    """Draws what a network makes of a photograph.

    In rows: the resized photograph and the network's maps, such as the k x k instance-sensitive score maps (figure 5);
    windows with their targets and masks; the best distinct proposals and the true objects.

    Args:
        network: the network.
        config: how it proposes.
        photograph: the photograph and its objects.
        example: its training example, the pair (inputs, targets).

    Returns:
        uint8 [H, W, 3].
    """
    inputs, targets = ({name: value.numpy() for name, value in part.items()} for part in example)
    windows, pixels = network.window_model(config), pixels_of(photograph)
    maps = windows.features(inputs["image"][None])
    proposals = Predictor.of_network(network, config).propose(pixels)
    truth = Proposals(photograph.size_hw, np.ones(len(photograph.rles)), photograph.rles)
    chosen = _some_positive(targets)
    masks = windows.masks(maps, tf.constant(inputs["windows"][chosen]))
    rows = [
        [
            _panel("photograph, resized", _pixels(inputs["image"])),
            *(_panel(name.replace("_", " "), _map(values[0].numpy())) for name, values in maps.items()),
        ],
        [_panel("windows, their targets, their masks", _windows(inputs, targets, chosen, masks, network.config.grid))],
        [
            _panel("best distinct proposals", np.asarray(draw_proposals(pixels, proposals.distinct(_SHOWN)))),
            _panel("truth", np.asarray(draw_proposals(pixels, truth))),
        ],
    ]
    return _stack([np.concatenate(row, 1) for row in rows])


def _map(logits: np.ndarray) -> np.ndarray:
    """A map [h, w], or the n of [h, w, n] in a square, as colours of their probabilities."""
    probabilities = special.expit(np.atleast_3d(logits))
    count = probabilities.shape[-1]
    return tile([heat(probabilities[..., i]) for i in range(count)], math.isqrt(count - 1) + 1)


def _some_positive(targets: Arrays) -> np.ndarray:
    """Numbers of a few positive windows."""
    positive = np.flatnonzero(targets["labels"] * targets["weights"])
    return positive[np.linspace(0, len(positive) - 1, min(_WINDOWS, len(positive))).astype(int)]


def _windows(inputs: Arrays, targets: Arrays, chosen: np.ndarray, mask_logits: Any, grid: WindowGrid) -> np.ndarray:
    """Some windows: their pixels above their targets above their masks."""
    if not len(chosen):
        return np.zeros((3, _WINDOWS, 3), np.uint8)
    crops = [_crop(inputs["image"], window, grid) for window in inputs["windows"][chosen]]
    masks = [*targets["masks"][chosen], *special.expit(mask_logits)]
    return tile([*crops, *(_resized(heat(mask), grid.window_px, grid.window_px) for mask in masks)], len(chosen))


def _crop(image: np.ndarray, window: np.ndarray, grid: WindowGrid) -> np.ndarray:
    """Pixels of a window; those outside of the image are grey."""
    (top, left), (bottom, right) = grid.extent(window)
    margin = grid.window_px
    padded = np.pad(image, [(margin, margin), (margin, margin), (0, 0)], constant_values=128)
    return _pixels(padded[top + margin : bottom + margin, left + margin : right + margin])


def _pixels(image: np.ndarray) -> np.ndarray:
    """uint8 RGB from the network's input."""
    return image.round().astype(np.uint8)


def _panel(caption: str, picture: np.ndarray) -> np.ndarray:
    """A picture brought to the height of a panel, below its caption."""
    width = max(1, round(picture.shape[1] * _PANEL_PX / picture.shape[0]))
    canvas = Image.new("RGB", (width + 8, _PANEL_PX + _CAPTION_PX + 8), "white")
    canvas.paste(Image.fromarray(_resized(picture, _PANEL_PX, width)), (4, _CAPTION_PX))
    ImageDraw.Draw(canvas).text((4, 2), caption, fill="black", font=ImageFont.load_default(size=15))
    return np.asarray(canvas)


def _resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    larger = height > picture.shape[0]
    return np.asarray(
        Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST if larger else Image.Resampling.BOX)
    )


def _stack(rows: Sequence[np.ndarray]) -> np.ndarray:
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [np.pad(row, [(0, 0), (0, width - row.shape[1]), (0, 0)], constant_values=255) for row in rows]
    )
