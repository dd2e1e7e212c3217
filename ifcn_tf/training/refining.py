"""Trains a refiner on the masks that a network proposes, once the network is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from pycocotools import mask as coco_mask

from ifcn_tf.annotations.example import Example
from ifcn_tf.common.files import UserError
from ifcn_tf.common.progress import ProgressBar, track
from ifcn_tf.config.network import Precision
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.data.photographs import photographs, pixels_of
from ifcn_tf.data.records import Records
from ifcn_tf.evaluation.matching import Case, pairwise_ious
from ifcn_tf.masks.paste import crop, logit, paste
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.models.refiner import SAMPLES, Refiner, build_refiner, save_with_refiner
from ifcn_tf.models.weights import read_proposer_config
from ifcn_tf.proposing.network import bare_network, network_proposer
from ifcn_tf.proposing.proposer import IMAGE, Proposer
from ifcn_tf.proposing.window_model import TRUNK, Refining

#: Every so many photographs one is held out: it says how much better masks are.
_PARTS = 5
#: Proposals of an object that are learnt from: some of those with at least such an IoU with it.
_OF_AN_OBJECT, _LEAST_IOU = 8, 0.4
#: Photographs whose features say which of them to keep.
_SURVEYED = 20
_BATCH, _EPOCHS, _RATE = 64, 12, 2e-3
#: What the IoU counts in the loss, beside cross-entropy.
_IOU_WEIGHT = 2.0
#: The power of its IoU by which a proposal is drawn: those that come near an object are what people keep.
_DRAWN_BY = 2

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Lessons:
    """Proposals with the objects that they are of.

    Attributes:
        inputs: of `Refiner.network`, P of each; float16, colours uint8 in 0..255.
        truth: uint8 [P, 2 m, 2 m], the share of each sample that the object covers, 0..255.
        counts: bool [P, 2 m, 2 m], whether a sample lies in the image.
        photograph: int64 [P], number of the photograph that each is of.
    """

    inputs: Arrays
    truth: np.ndarray
    counts: np.ndarray
    photograph: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, chosen: Any) -> Lessons:
        inputs = {name: values[chosen] for name, values in self.inputs.items()}
        return Lessons(inputs, self.truth[chosen], self.counts[chosen], self.photograph[chosen])


class Improvement(NamedTuple):
    """Mean IoU of masks, at their samples, on photographs that the refiner was not trained on."""

    before: float
    after: float


def train_refiner(weights: Path, data: Sequence[Path], folder: Path, precision: Precision = "auto") -> Improvement:
    """Trains a refiner and writes it, with a copy of the network's weights, into a new folder.

    Args:
        weights: of the network; it proposes as their `config.json` says.
        data: folders that `prepare_data` wrote.
        folder: to write; its `config.json` asks for masks of as many samples as the refiner answers.
        precision: of the networks.

    Raises:
        UserError: a file cannot be used, the folder is there already, or there are too few photographs or proposals.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already; remove it or choose another folder.")
    config = read_proposer_config(weights).changed({"edge_samples": SAMPLES})
    refiner, improvement = fitted(bare_network(weights, precision), config, data)
    save_with_refiner(weights, refiner, folder, proposer=config.to_dict())
    return improvement


def fitted(network: WindowMethod, config: ProposerConfig, data: Sequence[Path]) -> tuple[Refiner, Improvement]:
    """A refiner trained on what a network proposes in most photographs of prepared data, and what it does in others.

    Args:
        network: without a refiner.
        config: how it proposes, with `edge_samples` = SAMPLES.
        data: folders that `prepare_data` wrote.

    Raises:
        UserError: the method has no features to refine by, a folder cannot be used, a record is damaged, or there are
            too few photographs or proposals.
    """
    count, of_all = len(Records.open(data)), config.changed({"num_refined": config.post_nms})  # not of the best alone
    if not hasattr(network.window_model(config), "in_windows"):
        raise UserError(f"{network.config.method} has no features to refine its masks by.")
    if count < _PARTS:
        raise UserError(f"{', '.join(map(str, data))}: give {_PARTS} photographs or more, not {count}.")
    keras.utils.set_random_seed(0)  # the same proposals give the same refiner
    refiner = build_refiner(network.trunk_model.output.shape[-1], network.config.grid.mask_cells, network.precision)
    proposer, kept = network_proposer(network, of_all), refiner.projection.output.shape[-1]
    refiner.projection.set_weights(principal(proposer, list(photographs(data, _SURVEYED)), kept))
    proposer = dataclasses.replace(proposer, refiner=Refining(*refiner))
    lessons = collected(proposer, track(photographs(data, count), count, "proposing"))
    held_out = lessons.photograph % _PARTS == 0
    if held_out.all() or not held_out.any():
        raise UserError(f"too few proposals come near the objects of {', '.join(map(str, data))}: train longer first.")
    fit(refiner.network, lessons[~held_out], config.mask_threshold)
    improvement = improved(refiner.network, lessons[held_out], config.mask_threshold)
    # It was trained to answer probabilities of which one half makes a mask; a mask begins at the threshold.
    kernel, bias = refiner.network.get_layer("change").get_weights()
    refiner.network.get_layer("change").set_weights([kernel, bias + logit(config.mask_threshold)])
    return refiner, improvement


def principal(proposer: Proposer, examples: Sequence[Example], count: int) -> list[np.ndarray]:
    """Kernel [1, 1, C, count] and bias of the principal components of features, each of mean 0 and deviation 1."""
    features = tf.function(
        lambda image: tf.concat(
            [
                tf.reshape(tf.cast(found[TRUNK], tf.float32), [-1, found[TRUNK].shape[-1]])
                for found in proposer.features(image)
            ],
            0,
        ),
        input_signature=[IMAGE],
    )
    number, total, products = 0, np.zeros(1), np.zeros(1)
    for example in examples:
        values = features(tf.constant(pixels_of(example))).numpy().astype(float)
        number, total, products = number + len(values), total + values.sum(0), products + values.T @ values
    mean = total / number
    variances, directions = np.linalg.eigh(products / number - np.outer(mean, mean))
    kernel = directions[:, ::-1][:, :count] / np.sqrt(np.maximum(variances[::-1][:count], 1e-6))
    return [kernel[None, None], -mean @ kernel]


def collected(proposer: Proposer, examples: Iterator[Example]) -> Lessons:
    """What a proposer, whose refiner has its projection, finds of the objects of photographs."""
    unrefined = tf.function(lambda image: proposer.unrefined(image, proposer.features(image)))
    graph = unrefined.get_concrete_function(IMAGE)
    random, parts = np.random.default_rng(0), list[Lessons]()
    for number, example in enumerate(examples):
        kept, asked = graph(tf.constant(pixels_of(example)))
        found = {name: value.numpy() for name, value in asked.items()}
        windows = kept["windows_yxyx"].numpy()
        rles = paste(found["mask_logits"], windows, example.size_hw, proposer.config.mask_threshold)
        ious = pairwise_ious(Case(example, rles)) * ~np.asarray(example.crowd, bool)
        chosen, owners = near_objects(ious, random)
        if len(chosen):
            parts.append(_lessons(found, windows, example, chosen, owners, number))
    if not parts:
        raise UserError(
            "no proposal comes near an object of the photographs of --data: train the network longer first."
        )
    names = parts[0].inputs
    inputs = {name: np.concatenate([part.inputs[name] for part in parts]) for name in names}
    rest = (np.concatenate([getattr(part, name) for part in parts]) for name in ("truth", "counts", "photograph"))
    return Lessons(inputs, *rest)


def near_objects(ious: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Some proposals of each object, of IoUs float [D, G]: numbers of proposals and of their objects, int [P]."""
    if not ious.size:
        return np.zeros(0, int), np.zeros(0, int)
    owner, best = ious.argmax(1), ious.max(1)
    near = [np.flatnonzero((owner == number) & (best >= _LEAST_IOU)) for number in range(ious.shape[1])]
    chosen = np.concatenate([random.permutation(of_object)[:_OF_AN_OBJECT] for of_object in near])
    return chosen, owner[chosen]


def _lessons(
    found: Arrays, windows: np.ndarray, example: Example, chosen: np.ndarray, owners: np.ndarray, number: int
) -> Lessons:
    fine, image = found["fitted"].shape[1], np.ones(example.size_hw, bool)
    masks = {owner: coco_mask.decode(example.rles[owner]).astype(bool) for owner in set(owners)}
    truth = [crop(masks[owner], windows[i], fine) for i, owner in zip(chosen, owners, strict=True)]
    counts = [crop(image, windows[i], fine) >= 0.5 for i in chosen]
    inputs = {name: found[name][chosen].astype(np.float16) for name in ("mask_logits", "features", "fitted")}
    inputs["colours"] = (255 * found["colours"][chosen]).round().astype(np.uint8)
    return Lessons(
        inputs, (255 * np.array(truth)).round().astype(np.uint8), np.array(counts), np.full(len(chosen), number)
    )


class _Batches(keras.utils.PyDataset):
    """Batches of lessons, as many in each pass as there are, some drawn more often, every other batch mirrored."""

    def __init__(self, lessons: Lessons, often: np.ndarray) -> None:
        super().__init__()
        self._lessons, self._often, self._random = lessons, often / often.sum(), np.random.default_rng(0)
        self.on_epoch_end()

    def __len__(self) -> int:
        return max(1, len(self._lessons) // _BATCH)

    def __getitem__(self, number: int) -> tuple[Arrays, np.ndarray]:
        inputs, truth = _arrays(self._lessons[np.sort(self._order[number * _BATCH : (number + 1) * _BATCH])])
        if number % 2:
            return {name: values[:, :, ::-1] for name, values in inputs.items()}, truth[:, :, ::-1]
        return inputs, truth

    def on_epoch_end(self) -> None:
        self._order = self._random.choice(len(self._lessons), len(self._lessons), p=self._often)


def _arrays(lessons: Lessons) -> tuple[Arrays, np.ndarray]:
    """Inputs of the network, float32, and float32 [P, 2 m, 2 m, 2]: share that the object covers, and what counts."""
    inputs = {name: values.astype(np.float32) for name, values in lessons.inputs.items()}
    inputs["colours"] /= 255
    return inputs, np.stack([lessons.truth / np.float32(255), lessons.counts], -1, dtype=np.float32)


def mask_loss(truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of samples and what is missing of the IoU, a mean over masks.

    Args:
        truth: float32 [N, a, a, 2], see `_arrays`.
        logits: float32 [N, a, a].
    """
    share, counts = truth[..., 0], truth[..., 1]
    entropy = tf.reduce_sum(counts * tf.nn.sigmoid_cross_entropy_with_logits(share, logits), [1, 2])
    found = tf.sigmoid(logits)
    both = tf.reduce_sum(counts * found * share, [1, 2])
    either = tf.reduce_sum(counts * (found + share), [1, 2]) - both
    missing = 1 - tf.math.divide_no_nan(both, either)
    return tf.reduce_mean(tf.math.divide_no_nan(entropy, tf.reduce_sum(counts, [1, 2])) + _IOU_WEIGHT * missing)


def fit(network: keras.Model, lessons: Lessons, threshold: float) -> None:
    """Trains the network of a refiner, on those proposals most whose masks at the threshold are good already."""
    ious = _ious(lessons, lessons.inputs["fitted"] >= logit(threshold))
    batches = _Batches(lessons, np.maximum(ious, 0.01) ** _DRAWN_BY)
    rate = keras.optimizers.schedules.CosineDecay(_RATE, _EPOCHS * len(batches))
    network.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), mask_loss)
    with ProgressBar("training", _EPOCHS * len(batches), "steps") as bar:
        advance = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs: bar.advance(note=f"loss {logs['loss']:.3f}")
        )
        network.fit(batches, epochs=_EPOCHS, verbose=0, callbacks=[advance])


def improved(network: keras.Model, lessons: Lessons, threshold: float) -> Improvement:
    """Mean IoU of lessons' masks before, at the threshold, and after, at one half."""
    after = np.concatenate(
        [
            network.predict_on_batch(_arrays(lessons[start : start + _BATCH])[0])
            for start in range(0, len(lessons), _BATCH)
        ]
    )
    before = lessons.inputs["fitted"] >= logit(threshold)
    return Improvement(*(float(_ious(lessons, masks).mean()) for masks in (before, after >= 0)))


def _ious(lessons: Lessons, masks: np.ndarray) -> np.ndarray:
    """Of masks bool [P, 2 m, 2 m] with the objects of lessons, at the samples that count: float [P]."""
    objects = (lessons.truth > 127) & lessons.counts
    both, either = objects & masks, (objects | masks) & lessons.counts
    return both.sum((1, 2)) / np.maximum(either.sum((1, 2)), 1)
