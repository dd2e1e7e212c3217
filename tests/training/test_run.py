"""A whole run on prepared data: generated scenes, a narrow network, validation and pictures."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.annotations.shapes import shapes_source
from ifcn_tf.common.files import UserError
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import DataConfig, LossConfig, TrainConfig
from ifcn_tf.data.photographs import photographs, pixels_of
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.prepare import Report, prepare, records_writer, tolerate
from ifcn_tf.models.method import build_network
from ifcn_tf.models.weights import read_proposer_config, save_weights, take_fitting_weights
from ifcn_tf.proposals import Proposals
from ifcn_tf.training.describe import describe, memory_bytes
from ifcn_tf.training.loop import train
from ifcn_tf.training.observers import Profile
from ifcn_tf.training.optimizer import MomentumSGD
from ifcn_tf.training.run import Ending, Places, train_on_data
from ifcn_tf.training.step import TrainStep
from ifcn_tf.training.strategy import make_strategy
from ifcn_tf.training.validation import average_recalls
from tests.support.narrow_run import narrow_config, trainer_of
from tests.support.tiny import TINY


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder, source = tmp_path_factory.mktemp("data") / "scenes", shapes_source(6, seed=0)
    prepare(source, records_writer(source, folder, 2), 1, tolerate)
    return folder


@pytest.fixture(scope="module")
def other_k(tmp_path_factory):
    folder = tmp_path_factory.mktemp("k3")
    network = build_network(dataclasses.replace(TINY, k=3), "float32")
    model, random = network.model, np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) * 0.1 for w in model.get_weights()])
    save_weights(network, folder, {}, {})
    return model, folder / "model.weights.h5"


def small_config(steps):
    return RunConfig(
        model=TINY,
        data=DataConfig(shorter_sides=(119, 178), fitting_scales=1.0),
        train=TrainConfig(
            steps=steps, images_per_step=1, precision="float32", log_every=1, validate_every=2, pictures_every=2,
            validation_images=2, frozen_blocks=1,
        ),
    )  # fmt: skip


def test_a_run_with_validation_and_pictures(scenes, other_k, tmp_path):
    places = Places([scenes], [scenes], tmp_path, str(other_k[1]), "imagenet")
    assert train_on_data(small_config(3), places, make_strategy("one_device")) == Ending(3, None)
    record = json.loads((tmp_path / "config.json").read_text())
    assert record["places"] == {**places.to_dict(), "data_examples": 6}
    assert record["places"]["data"] == record["places"]["validation_data"] == [str(scenes)]
    assert record["devices"] == {"strategy": "OneDeviceStrategy", "replicas": 1, "precision": "float32"}
    with pytest.raises(UserError, match=r"places\.weights"):
        train_on_data(small_config(3), dataclasses.replace(places, weights=None), make_strategy("one_device"))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    with_recall = [(line["step"], "ar@100" in line) for line in lines]
    assert with_recall == [(1, False), (2, False), (2, True), (3, False), (3, True)]
    assert all(0 <= line["ar@10"] <= line["ar@100"] <= line["ar@1000"] <= 100 for line in lines if "ar@10" in line)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("best", "checkpoints", "config.json", "curves.png", "last", "metrics.jsonl", "tensorboard")
    }
    (events,) = (tmp_path / "tensorboard").iterdir()
    seen = {(e.step, v.tag): v for e in tf.compat.v1.train.summary_iterator(str(events)) for v in e.summary.value}
    expected = ("loss", "objectness_loss", "mask_loss", "learning_rate", "gradient_norm", "images_per_second")
    assert {(3, name) for name in (*expected, "data_wait_share", "positives", "mask_iou", "ar@1000")} <= seen.keys()
    picture = tf.io.decode_image(seen[2, "network"].tensor.string_val[2]).numpy()
    assert picture.std() > 20


def test_the_best_weights_are_chosen_as_they_will_propose(scenes, other_k, tmp_path):
    """With no mask large enough no proposal is left, so that every recall is 0."""
    proposing = ProposerConfig(shorter_sides=(119,), min_area=1e9, num_proposals=5)
    config = dataclasses.replace(small_config(1), proposer=proposing)
    places = Places([scenes], [scenes], tmp_path, str(other_k[1]), "imagenet")
    train_on_data(config, places, make_strategy("one_device"))
    scores = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert scores == {"step": 1, "ar@10": 0.0, "ar@100": 0.0, "ar@1000": 0.0}
    for folder in ("best", "last"):
        assert read_proposer_config(tmp_path / folder / "model.weights.h5") == proposing


def test_validation_images_without_objects_are_refused_before_the_first_step(scenes, other_k, tmp_path):
    source = shapes_source(2, seed=0)
    empty = [dataclasses.replace(job().example, objects=()) for job in source.jobs]
    records_writer(source, tmp_path / "empty", 1)(empty, Report(images=2))
    places = Places([scenes], [tmp_path / "empty"], tmp_path / "run", str(other_k[1]), "imagenet")
    with pytest.raises(UserError, match=r"the first 2 photographs of .*empty show no object"):
        train_on_data(small_config(1), places, make_strategy("one_device"))
    assert not (tmp_path / "run" / "last").exists()


def test_profile(tmp_path, capsys):
    """Of steps 6 to 10 counted from each start, however few of them there are."""
    told = ["wrote no profile", "a profile of 5 steps", "a profile of 2 steps", "wrote no profile"]
    for steps, expected in zip((5, 17, 24, 24), told, strict=True):
        trainer = trainer_of(narrow_config(steps), tmp_path)
        train(trainer, tmp_path, {}, [Profile(tmp_path / "tensorboard")])
        assert expected in capsys.readouterr().out
    assert list((tmp_path / "tensorboard").glob("plugins/profile/*/*.xplane.pb"))


def test_weights_of_another_k_are_taken_where_they_fit(other_k):
    source, path = other_k
    network = build_network(TINY, "float32")
    before = network.model.get_layer("score_maps").get_weights()
    assert take_fitting_weights(network, path) == ["score_maps"]
    for layer in (layer for layer in network.model.layers if layer.weights):
        expected = before if layer.name == "score_maps" else source.get_layer(layer.name).get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), expected, strict=True)), layer.name


def test_average_recall_of_perfect_and_of_no_proposals(scenes):
    images = list(photographs([scenes], 3))
    rles = {pixels_of(image).tobytes(): image.rles for image in images}

    def perfect(image):
        found = rles[image.tobytes()]
        return Proposals(image.shape[:2], np.linspace(1, 0.5, len(found)), found)

    numbers = [len(image.rles) for image in images]
    at_10 = 100 * sum(min(number, 10) for number in numbers) / sum(numbers)
    assert average_recalls(perfect, images) == pytest.approx({"ar@10": at_10, "ar@100": 100, "ar@1000": 100})
    assert set(average_recalls(lambda image: perfect(image)[:0], images).values()) == {0.0}


def test_description_of_a_run(scenes):
    text = describe(RunConfig(model=TINY, train=TrainConfig(precision="float32")), [scenes])
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert rows["tiny2_conv"].endswith("frozen") and rows["tiny3_conv"].endswith("trained")
    assert "images a pass: 6; 8 a step, so 0.8 steps a pass" in text
    # The third convolution keeps 16 maps of a quarter of each side, in float32.
    network, train = build_network(TINY, "float32"), TrainConfig()
    large, small = memory_bytes(network, 256, 256, train), memory_bytes(network, 128, 128, train)
    assert large - small > 4 * 16 * (64 * 64 - 32 * 32)
    # All of its weights are trained here: a second buffer of each, or its average, is as many bytes.
    for more in ({"optimizer": "adamw"}, {"ema": 0.9}):
        assert memory_bytes(network, 128, 128, TrainConfig(**more)) - small == 4 * network.model.count_params()


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (DataConfig(), "900 x 1200"),
        (DataConfig(shorter_sides=(200, 300, 100), scale_jitter=1.2), "360 x 480"),
        (DataConfig(shorter_sides=(600,), longer_side_limit=400), "300 x 400"),
        (DataConfig(cut_side=384), "384 x 384"),
        (DataConfig(shorter_sides=(300,), cut_side=384), "300 x 384"),
    ],
)
def test_memory_is_estimated_for_the_largest_image_of_the_settings(scenes, data, size):
    config = RunConfig(model=TINY, data=data, train=TrainConfig(precision="float32"))
    assert f"estimated for an image of {size} px: " in describe(config, [scenes])


def test_overfits_two_scenes(scenes):
    """One fixed batch: near-zero loss and masks of IoU > .95 within 600 steps; when differs with the processor."""
    config = DataConfig(shorter_sides=(119, 178), fitting_scales=1.0)
    network = build_network(dataclasses.replace(TINY, branch_channels=64), "float32")
    examples = training_examples([scenes], config, network.config, seed=0)
    elements = list(examples.filter(lambda _, targets: tf.reduce_sum(targets["labels"]) > 8).take(2))
    optimizer = MomentumSGD([variable.value for variable in network.model.trainable_variables], 0.9, 0.0)
    step = TrainStep(network, optimizer, LossConfig(), 2, examples.element_spec)
    for _ in range(600):
        records = [step.accumulate(element)[0] for element in elements]
        worst = max(float(record["loss"]) for record in records), min(float(record["mask_iou"]) for record in records)
        if worst[0] < 0.05 and worst[1] > 0.95:
            return
        step.update(0.015)
    pytest.fail(f"after 600 steps the loss is {worst[0]:.3f}, the IoU {worst[1]:.3f}")
