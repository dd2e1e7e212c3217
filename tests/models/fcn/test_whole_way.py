"""FCN goes the whole way: trained at 32 px, then at 16 px from those weights, segmented, served."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import FCNConfig
from ifcn_tf.config.presets import PRESETS, RunConfig, with_settings
from ifcn_tf.config.segmenting import SegmenterConfig
from ifcn_tf.config.training import DataConfig, TrainConfig
from ifcn_tf.models.weights import read_weights, save_weights
from ifcn_tf.predictor import load, load_saved_model
from ifcn_tf.saved_model.export import export_segmentation
from ifcn_tf.segmenting.segmenter import load_segmentation, load_segmenter
from ifcn_tf.training.run import Places, train_on_data
from ifcn_tf.training.strategy import make_strategy
from tests.models.fcn.test_network import with_random_scores
from tests.support.exported import encoded, scene
from tests.support.narrow_fcn import SMALL
from tests.support.prepared import prepare_shapes

CONFIG = RunConfig(
    model=dataclasses.replace(SMALL, stride=16),
    data=DataConfig(shorter_sides=(119,), cut_side=96),
    train=TrainConfig(
        steps=2, images_per_step=2, precision="float32", log_every=1, validate_every=2, validation_images=2,
        pictures_every=2, learning_rates=(0.01,), boundaries=(), optimizer="adamw",
    ),
    segmenter=SegmenterConfig(shorter_side=96),
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes", 3)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Folders of weights at 32 px, and of a run at 16 px that began with them."""
    folders = [tmp_path_factory.mktemp(name) for name in ("at32", "at16")]
    save_weights(with_random_scores(dataclasses.replace(SMALL, stride=32)), folders[0] / "last", {}, {})
    places = Places([data], [data], folders[1], str(folders[0] / "last" / "model.weights.h5"), "imagenet")
    assert train_on_data(CONFIG, places, make_strategy("one_device")).step == 2
    return folders


def test_it_trains_is_measured_and_drawn(trained):
    lines = [json.loads(line) for line in (trained[1] / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "pixel_loss" in line] == [1, 2]
    assert 0 <= lines[-1]["mean_iu"] <= 100
    assert (trained[1] / "best" / "model.weights.h5").exists() and (trained[1] / "curves.png").exists()


def test_a_finer_stride_goes_on_with_the_weights_of_the_coarser(trained):
    coarse, fine = (read_weights(folder / "last" / "model.weights.h5") for folder in trained)
    assert fine.keys() - coarse.keys() == {"scores_stride16/kernel", "scores_stride16/bias"}
    for name, array in coarse.items():  # which two steps hardly change
        np.testing.assert_allclose(fine[name], array, atol=0.03)
    assert np.any(fine["scores_stride16/kernel"])


def test_saved_loaded_and_exported_it_answers_the_same(trained, tmp_path):
    path, images = trained[1] / "best" / "model.weights.h5", [scene(0, (60, 80)), scene(1, (33, 21))]
    segmenter = load_segmenter(path, precision="float32")
    expected = [segmenter.segment(image) for image in images]
    folder = export_segmentation(*load_segmentation(path, "float32"), tmp_path, max_pixels=80 * 60)
    loaded = tf.saved_model.load(str(folder))
    answer = loaded.signatures["semantic"](image_tensor=tf.constant(np.stack([images[0], images[0][:, ::-1]])))
    np.testing.assert_array_equal(answer["classes"][0], expected[0])
    assert [name.decode() for name in answer["class_names"][1].numpy()] == list(SMALL.classes)
    files = [encoded(image, "PNG") for image in images]
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant([*files, b"x", encoded(scene(0, (90, 90)))]))
    for labels, classes in zip(answer["label_image_bytes"][:2], expected, strict=True):
        np.testing.assert_array_equal(tf.io.decode_png(labels)[..., 0], classes)
    assert answer["label_image_bytes"][2:].numpy().tolist() == [b"", b""]
    errors = [error.decode() for error in answer["error"].numpy()]
    assert (
        errors[:2] == ["", ""]
        and errors[2].startswith("image 3 of the batch ")
        and "over the limit of 4800" in errors[3]
    )
    with pytest.raises(UserError, match="names the class of each pixel and proposes nothing"):
        load_saved_model(tmp_path)


def test_it_proposes_nothing(trained):
    with pytest.raises(UserError, match=r"model\.weights\.h5: fcn has no windows and proposes nothing"):
        load(trained[0] / "last" / "model.weights.h5")


def test_the_preset_is_light_and_the_method_alone_is_as_published():
    assert PRESETS["fcn"].model == FCNConfig(trunk="efficientnet_lite2", fc_cells=3, fc_channels=256)
    published = with_settings(PRESETS["paper"], ["model.method=fcn", "data.cut_side=32"]).model
    assert published == FCNConfig()
    assert (published.trunk, published.fc_cells, published.fc_channels, published.dropout) == ("vgg16", 7, 4096, 0.5)
