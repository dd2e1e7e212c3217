"""Trains a score head on what a network proposes in photographs that it was not trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from scipy import optimize, special

from ifcn_tf.common.files import UserError
from ifcn_tf.common.progress import ProgressBar, track
from ifcn_tf.config.network import Precision
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.data.photographs import photographs, pixels_of
from ifcn_tf.data.records import Records
from ifcn_tf.evaluation.calibration import Calibration, best_ious
from ifcn_tf.evaluation.matching import Case, pairwise_ious
from ifcn_tf.masks.paste import paste
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.models.parts.standardized import spread
from ifcn_tf.models.refiner import load_refiner
from ifcn_tf.models.score_head import build_score_head, save_with_score_head
from ifcn_tf.models.weights import read_proposer_config
from ifcn_tf.proposing.network import bare_network, network_proposer
from ifcn_tf.proposing.proposer import IMAGE

#: Every so many photographs one is held out: it says how long to train, and how sure to be.
_PARTS = 5
_BATCH, _EPOCHS, _PATIENCE = 4096, 30, 3
#: Of every so many proposals one says how descriptors are spread.
_SAMPLED = 7


@dataclasses.dataclass(frozen=True)
class Judged:
    """Proposals with the truth about them.

    Attributes:
        descriptors: float16 [P, D], `Proposer.described`'s.
        ious: float32 [P], highest IoU with an object.
        photograph: int64 [P], number of the photograph that each is of.
    """

    descriptors: np.ndarray
    ious: np.ndarray
    photograph: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Judged:
        return Judged(self.descriptors[chosen], self.ious[chosen], self.photograph[chosen])


def train_scores(weights: Path, data: Sequence[Path], folder: Path, precision: Precision = "auto") -> Calibration:
    """Trains a score head and writes it, with a copy of the network's weights, into a new folder.

    Args:
        weights: of the network; it proposes as their `config.json` says.
        data: folders that `prepare_data` wrote, of photographs that the network was not trained on.
        folder: to write.
        precision: of the network.

    Returns:
        The calibration of the head on photographs that it was not trained on.

    Raises:
        UserError: a file cannot be used, the folder is there already, or there are too few photographs.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; remove it or choose another folder.")
    network, config = bare_network(weights, precision), read_proposer_config(weights)
    network.refiner = load_refiner(weights, network.config.grid.mask_cells, network.precision)
    head, calibration = fitted(judge(network, config, data))
    save_with_score_head(weights, head, folder)
    return calibration


def judge(network: WindowMethod, config: ProposerConfig, data: Sequence[Path]) -> Judged:
    """What a network proposes in the photographs of prepared data; what lies in crowds is left out.

    Raises:
        UserError: the method describes no proposals, a folder cannot be used, or a record is damaged.
    """
    proposer = network_proposer(network, config)
    if not hasattr(network.window_model(config), "descriptors"):
        raise UserError(f"{network.config.method} does not describe its proposals, so that none can be judged.")
    described = tf.function(proposer.described).get_concrete_function(IMAGE)
    parts, count = list[Judged](), len(Records.open(data))
    if count < _PARTS:
        raise UserError(f"{', '.join(map(str, data))}: give {_PARTS} photographs or more, not {count}.")
    for number, example in enumerate(track(photographs(data, count), count, "proposing")):
        found = {name: value.numpy() for name, value in described(tf.constant(pixels_of(example))).items()}
        rles = paste(found["mask_logits"], found["windows_yxyx"], example.size_hw, config.mask_threshold)
        best, counts = best_ious(pairwise_ious(Case(example, rles)), example.crowd)
        descriptors = found["descriptors"][counts].astype(np.float16)
        parts.append(Judged(descriptors, best[counts].astype(np.float32), np.full(counts.sum(), number)))
    columns = zip(*(dataclasses.astuple(part) for part in parts), strict=True)
    return Judged(*(np.concatenate(column) for column in columns))


def fitted(judged: Judged) -> tuple[keras.Model, Calibration]:
    """A head trained on the proposals of most photographs, as long and as sure as those of the others say it may be.

    Returns:
        The head, and its calibration on photographs that it was not trained on.
    """
    keras.utils.set_random_seed(0)  # the same proposals give the same head
    others = judged.photograph % _PARTS == 0
    head, held_out = fit(judged[~others], judged[others]), judged[others]
    logits = head.predict(held_out.descriptors, _BATCH, verbose=0)[:, 0]
    slope, shift = correction(logits, held_out.ious)
    kernel, bias = head.get_layer("expected").get_weights()
    head.get_layer("expected").set_weights([slope * kernel, slope * bias + shift])
    return head, Calibration.of(special.expit(slope * logits + shift), held_out.ious)


def correction(logits: np.ndarray, ious: np.ndarray) -> tuple[float, float]:
    """Slope and shift that make the logits of proposals [P] fit their IoUs [P] best, after Platt."""

    def loss(slope_and_shift: np.ndarray) -> float:
        corrected = slope_and_shift[0] * logits + slope_and_shift[1]
        return np.mean(np.logaddexp(0, corrected) - ious * corrected)

    slope, shift = optimize.minimize(loss, [1.0, 0.0]).x
    return float(slope), float(shift)


def fit(judged: Judged, held_out: Judged) -> keras.Model:
    """Trains a head until proposals that are held out are told no better.

    The loss is cross-entropy against the IoU: it is least where the sigmoid of the logit is the mean IoU.
    """
    head = build_score_head(judged.descriptors.shape[1])
    standardized, *others = head.layers[1:]
    standardized.set_weights(spread(judged.descriptors[::_SAMPLED].astype(np.float32)))
    model = keras.Sequential([head.inputs[0], standardized, keras.layers.Dropout(0.5, seed=0), *others])
    optimizer = keras.optimizers.AdamW(2e-3, weight_decay=0.01)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    stop = keras.callbacks.EarlyStopping("val_loss", patience=_PATIENCE, restore_best_weights=True)
    watched = (held_out.descriptors, held_out.ious)
    with ProgressBar("training", _EPOCHS, "epochs") as bar:
        advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: bar.advance())
        model.fit(
            judged.descriptors,
            judged.ious,
            _BATCH,
            _EPOCHS,
            verbose=0,
            validation_data=watched,
            callbacks=[stop, advance],
        )
    return head
