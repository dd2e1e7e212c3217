"""One picture of what the network does with a photograph: maps, assembled masks and proposals, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from ifcn_tf.annotations.example import Example
from ifcn_tf.config.proposing import ProposerConfig, ShownConfig
from ifcn_tf.data.photographs import pixels_of
from ifcn_tf.geometry import STRIDE, window_extent
from ifcn_tf.images.tensors import IMAGENET_MEAN_BGR
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
    model: keras.Model, config: ProposerConfig, photograph: Example, example: tuple[Tensors, Tensors]
) -> np.ndarray:
    """Draws what a network makes of a photograph.

    In rows: the resized photograph, the objectness map, the k x k instance-sensitive score maps (figure 5); windows
    with their targets and assembled masks; the best distinct proposals and the true objects.

    Args:
        model: `build_instance_fcn`'s model.
        config: how it proposes.
        photograph: the photograph and its objects.
        example: its training example, the pair (inputs, targets).

    Returns:
        uint8 [H, W, 3].
    """
    inputs, targets = ({name: value.numpy() for name, value in part.items()} for part in example)
    objectness, score_maps, mask_logits = _forward(model, inputs)
    k = round(score_maps.shape[-1] ** 0.5)
    pixels = pixels_of(photograph)
    proposals = Predictor.of_network(model, config).propose(pixels)
    truth = Proposals(photograph.size_hw, np.ones(len(photograph.rles)), photograph.rles)
    rows = [
        [
            _panel("photograph, resized", _pixels(inputs["image"])),
            _panel("objectness", heat(objectness[..., 0])),
            _panel(f"{k} x {k} score maps", tile([heat(score_maps[..., i]) for i in range(k * k)], k)),
        ],
        [_panel("windows, their targets, assembled masks", _windows(inputs, targets, mask_logits))],
        [
            _panel("best distinct proposals", np.asarray(draw_proposals(pixels, proposals.distinct(_SHOWN)))),
            _panel("truth", np.asarray(draw_proposals(pixels, truth))),
        ],
    ]
    return _stack([np.concatenate(row, 1) for row in rows])


def _forward(model: keras.Model, inputs: Arrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Objectness [h, w, 1] and score maps [h, w, k * k] as probabilities, mask logits [N, m, m]."""
    maps = [model.get_layer(name).output for name in ("objectness_map", "score_maps")]
    outputs = keras.Model(model.inputs, [*maps, model.output["mask_logits"]])(
        {name: values[None] for name, values in inputs.items()}, training=False
    )
    objectness, score_maps, mask_logits = (tf.cast(output[0], tf.float32) for output in outputs)
    return tf.sigmoid(objectness).numpy(), tf.sigmoid(score_maps).numpy(), mask_logits.numpy()


def _windows(inputs: Arrays, targets: Arrays, mask_logits: np.ndarray) -> np.ndarray:
    """Some positive windows: their pixels above their targets above their masks."""
    positive = np.flatnonzero(targets["labels"] * targets["weights"])
    chosen = positive[np.linspace(0, len(positive) - 1, min(_WINDOWS, len(positive))).astype(int)]
    if not len(chosen):
        return np.zeros((3, _WINDOWS, 3), np.uint8)
    crops = [_crop(inputs["image"], window, mask_logits.shape[1]) for window in inputs["windows"][chosen]]
    wanted = [heat(mask) for mask in targets["masks"][chosen]]
    assembled = [heat(1 / (1 + np.exp(-np.clip(logits, -30, 30)))) for logits in mask_logits[chosen]]
    side = crops[0].shape[0]
    return tile([*crops, *(_resized(mask, side, side) for mask in wanted + assembled)], len(chosen))


def _crop(image: np.ndarray, window: np.ndarray, cells: int) -> np.ndarray:
    """Pixels of a window of so many cells a side; those outside of the image have the mean colour."""
    (top, left), (bottom, right) = window_extent(window, cells)
    margin = cells * STRIDE
    padded = np.pad(image, [(margin, margin), (margin, margin), (0, 0)])
    return _pixels(padded[top + margin : bottom + margin, left + margin : right + margin])


def _pixels(image: np.ndarray) -> np.ndarray:
    """uint8 RGB from the network's input."""
    return np.clip(image + np.array(IMAGENET_MEAN_BGR), 0, 255)[..., ::-1].astype(np.uint8)


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
