"""Trains a focus on what a network sees of photographs at one scale, and on the sizes of their objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.annotations.example import Example
from ifcn_tf.common.files import UserError
from ifcn_tf.common.progress import ProgressBar, track
from ifcn_tf.config.network import Precision
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.settings import require
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.photographs import photographs, pixels_of
from ifcn_tf.data.records import Records
from ifcn_tf.models.focus import POOLED, Focus, build_focus, save_with_focus
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.models.parts.standardized import spread
from ifcn_tf.models.weights import read_proposer_config
from ifcn_tf.proposing.chips import BLOCK_CELLS, blocks_of, densest
from ifcn_tf.proposing.network import bare_network, network_proposer
from ifcn_tf.proposing.proposer import IMAGE
from ifcn_tf.proposing.window_model import TRUNK

#: So many of the finest scales are seen in part, as the one before them tells.
FINER = 2
#: An object fits a scale where its longer side is as long as windows are trained for [px], but for this factor.
_FITTING_PX, _TOLERANCE = DataConfig().object_side, 1.3
#: Every so many photographs one is held out: it says how long to train.
_PARTS = 5
_BATCH, _EPOCHS, _PATIENCE, _RATE, _DROPPED = 2048, 15, 3, 2e-3, 0.3
#: Of every so many cells one says how features are spread.
_SAMPLED = 7


class Map(NamedTuple):
    """A photograph as a focus sees it.

    Attributes:
        features: float16 [h, w, C], of its cells.
        shows: bool [h, w, S], whether an object that fits a finer scale is there.
        counts: bool [h, w], whether that is known: in a crowd it is not.
    """

    features: np.ndarray
    shows: np.ndarray
    counts: np.ndarray


class Trust(NamedTuple):
    """What a focus brings at a threshold, on photographs that it was not trained on, a number for each finer scale.

    Attributes:
        shares: how much of a photograph is looked at, the mean [0..1].
        found: how many of the cells that show objects which fit the scale are among it [0..1].
    """

    shares: np.ndarray
    found: np.ndarray


def train_focus(
    weights: Path, data: Sequence[Path], folder: Path, precision: Precision = "auto"
) -> tuple[Focus, Trust]:
    """Trains a focus and writes it, with a copy of the network's weights and of what is beside them, into a new folder.

    Args:
        weights: of the network; the scales are those that their `config.json` proposes at.
        data: folders that `prepare_data` wrote, all of whose objects are labelled.
        folder: to write.
        precision: of the network.

    Returns:
        The focus, and how far it is to be trusted.

    Raises:
        UserError: a file cannot be used, the folder is there already, objects of the data may not be labelled, there
            are too few photographs, objects that fit, or scales, or the method has no features to look at.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; remove it or choose another folder.")
    network, config = bare_network(weights, precision), read_proposer_config(weights)
    focus, trust = fitted(network, config, data)
    save_with_focus(weights, focus, folder)
    return focus, trust


def fitted(network: WindowMethod, config: ProposerConfig, data: Sequence[Path]) -> tuple[Focus, Trust]:
    """A focus trained on most photographs, as long as the others say; arguments, answer and errors of `train_focus`."""
    records, names = Records.open(data), ", ".join(map(str, data))
    require(not records.partial.any(), f"{names}: some objects there are not labelled (--partial); take other data.")
    require(len(records) >= _PARTS, f"{names}: give {_PARTS} photographs or more, not {len(records)}.")
    seen_from, *sides = sorted(set(config.shorter_sides))[-1 - FINER :]
    require(
        len(sides) == FINER and not config.scale_factors,
        f"a focus needs {FINER + 1} shorter_sides or more, and no scale_factors, in the proposer's config.json.",
    )
    keras.utils.set_random_seed(0)  # the same photographs give the same focus
    examples = track(photographs(data, len(records)), len(records), "looking")
    maps = list(collected(network, config, seen_from, sides, examples))
    learnt, held_out = [seen for number, seen in enumerate(maps) if number % _PARTS], maps[::_PARTS]
    if not all(any(seen.shows[seen.counts].any() for seen in part) for part in (learnt, held_out)):
        raise UserError(f"too few objects of {names} fit {' or '.join(map(str, sides))} px: give more photographs.")
    focus = build_focus(maps[0].features.shape[-1], seen_from, tuple(sides))
    fit(focus.network, learnt, held_out)
    return focus, trust_in(focus, held_out, config.focus_threshold)


def collected(
    network: WindowMethod, config: ProposerConfig, seen_from: int, sides: Sequence[int], examples: Iterator[Example]
) -> Iterator[Map]:
    """What a network sees of photographs at the scale `seen_from`, and where objects are that fit finer `sides`."""
    proposer, number = network_proposer(network, config), config.shorter_sides.index(seen_from)

    def pooled(image: tf.Tensor) -> tf.Tensor:
        found = proposer.model.features(proposer.pyramid.whole(image)[number])
        require(TRUNK in found, f"{network.config.method} has no features that tell where to look.")
        trunk = tf.cast(found[TRUNK], tf.float32)
        return tf.cast(tf.nn.avg_pool2d(trunk, POOLED, POOLED, "SAME")[0], tf.float16)

    graph, cell_px = tf.function(pooled).get_concrete_function(IMAGE), POOLED * network.config.grid.stride
    for example in examples:
        features = graph(tf.constant(pixels_of(example))).numpy()
        yield Map(features, *shown(example, features.shape[:2], seen_from, sides, cell_px))


def shown(
    example: Example, cells_hw: tuple[int, int], seen_from: int, sides: Sequence[int], cell_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """`Map.shows` and `Map.counts` of a photograph.

    An object fits a scale where its longer side is `object_side` long there, within a factor; the finest scale those
    that are smaller too.

    Args:
        example: the photograph.
        cells_hw: size of the map.
        seen_from: shorter side of the image that is seen [px].
        sides: of finer scales, alike, in order.
        cell_px: side of a cell of the map [px of that image].
    """
    scale = seen_from / min(example.size_hw)
    shows, counts = np.zeros((*cells_hw, len(sides)), bool), np.ones(cells_hw, bool)
    for (left, top, width, height), crowd in zip(example.boxes_xywh * scale, example.crowd, strict=True):
        rows, columns = (
            slice(max(round(first / cell_px - 0.5), 0), round((first + length) / cell_px + 0.5))
            for first, length in ((top, height), (left, width))
        )
        if crowd:
            counts[rows, columns] = False
            continue
        longer = max(width, height) * np.array(sides) / seen_from
        fits = (longer <= _FITTING_PX * _TOLERANCE) & (longer >= _FITTING_PX / _TOLERANCE)
        fits[-1] |= longer[-1] < _FITTING_PX
        shows[rows, columns] |= fits
    return shows, counts


def fit(network: keras.Model, learnt: Sequence[Map], held_out: Sequence[Map]) -> None:
    """Trains a focus' network until cells that are held out are told no better."""
    standardized, *layers = network.layers[2:]
    (features, shows), watched = _cells(learnt), _cells(held_out)
    standardized.set_weights(spread(features[::_SAMPLED]))
    cells = keras.Input(features.shape[1:])
    x = keras.layers.Dropout(_DROPPED, seed=0)(standardized(cells))
    for layer in layers:
        x = layer(x)
    model = keras.Model(cells, x)
    model.compile(keras.optimizers.AdamW(_RATE, weight_decay=0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    stop = keras.callbacks.EarlyStopping("val_loss", patience=_PATIENCE, restore_best_weights=True)
    with ProgressBar("training", _EPOCHS, "epochs") as bar:
        advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: bar.advance())
        model.fit(features, shows, _BATCH, _EPOCHS, verbose=0, validation_data=watched, callbacks=[stop, advance])


def _cells(maps: Sequence[Map]) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [P, C] of the cells of which it is known what they show, and that, float32 [P, S]."""
    features = np.concatenate([seen.features[seen.counts] for seen in maps]).astype(np.float32)
    return features, np.concatenate([seen.shows[seen.counts] for seen in maps]).astype(np.float32)


def trust_in(focus: Focus, maps: Sequence[Map], threshold: float) -> Trust:
    """How far to trust a focus, of photographs that it was not trained on."""
    model = keras.Sequential([keras.Input((None, None, maps[0].features.shape[-1])), *focus.network.layers[2:]])
    shares, found, shown_there = [], np.zeros(len(focus.sides)), np.zeros(len(focus.sides))
    for seen in maps:
        heat, looked_at = tf.sigmoid(model(seen.features[None].astype(np.float32))), np.zeros(seen.shows.shape, bool)
        for number in range(len(focus.sides)):
            (top, left), (bottom, right) = (
                BLOCK_CELLS // POOLED * densest(blocks_of(heat)[..., number], threshold).numpy()
            )
            looked_at[top:bottom, left:right, number] = True
        shares.append(looked_at.mean((0, 1)))
        found, shown_there = found + (seen.shows & looked_at).sum((0, 1)), shown_there + seen.shows.sum((0, 1))
    return Trust(np.mean(shares, 0), found / np.maximum(shown_there, 1))
