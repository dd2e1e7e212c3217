"""Proposals get names the whole way: kept as records, trained on, named, written, served."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ifcn_tf import load
from ifcn_tf.classifying.loading import load_classifier
from ifcn_tf.common.files import UserError
from ifcn_tf.config.classifying import ClassifyingConfig
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.training import DataConfig, TrainConfig
from ifcn_tf.data.records import Records
from ifcn_tf.models.weights import save_weights
from ifcn_tf.predictor import load_saved_model
from ifcn_tf.results.folder import Output, propose_images
from ifcn_tf.saved_model.export import export
from ifcn_tf.serving.answer import to_proposals
from ifcn_tf.training.regions import prepare_regions
from ifcn_tf.training.run import Places, train_on_data
from ifcn_tf.training.strategy import make_strategy
from tests.support.exported import CONFIG, encoded, narrow_network, scene
from tests.support.narrow_classifier import NARROW
from tests.support.prepared import prepare_shapes

RUN = RunConfig(
    model=NARROW,
    data=DataConfig(shorter_sides=(96,)),
    train=TrainConfig(
        steps=2, images_per_step=2, precision="float32", log_every=1, validate_every=2, validation_images=2,
        pictures_every=2, learning_rates=(0.01,), boundaries=(), optimizer="adamw",
    ),
    classifier=ClassifyingConfig(shorter_side=96, num_rois=12, num_instances=8),
)  # fmt: skip


@pytest.fixture(scope="module")
def proposer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proposer")
    save_weights(narrow_network(), folder, {"proposer": CONFIG.to_dict()}, {})
    return folder / "model.weights.h5"


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    data, output = prepare_shapes(folder / "scenes", 3), folder / "regions"
    count = prepare_regions(narrow_network(), CONFIG, data, output)
    assert json.loads((output / "dataset.json").read_text())["proposals"] == count > 10
    assert Records.open([output]).categories == Records.open([data]).categories
    return output


@pytest.fixture(scope="module")
def trained(regions, proposer, tmp_path_factory):
    """The last weights of a run that began with the proposer's trunk."""
    folder = tmp_path_factory.mktemp("names")
    places = Places([regions], [regions], folder, str(proposer), "imagenet")
    assert train_on_data(RUN, places, make_strategy("one_device")).step == 2
    return folder


@pytest.fixture(scope="module")
def predictor(proposer, trained):
    return load(proposer, classes=trained / "last" / "model.weights.h5", precision="float32")


def test_it_trains_is_measured_and_drawn(trained):
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "class_loss" in line] == [1, 2]
    assert 0 <= lines[-1]["map@50"] <= 100
    assert (trained / "best" / "model.weights.h5").exists() and (trained / "curves.png").exists()


def test_proposals_have_names(predictor):
    named = predictor.propose(scene(0, (90, 120)))
    assert 0 < len(named) <= 8 and set(named.labels) <= set(NARROW.classes[1:])
    columns = [list(NARROW.categories).index(number) + 1 for number in named.category_ids]
    np.testing.assert_allclose(named.scores, named.class_scores[np.arange(len(named)), columns])
    np.testing.assert_allclose(named.class_scores.sum(1), 1, rtol=1e-5)
    assert (np.diff(named.scores) <= 0).all()
    some = named[[1, 0]]
    assert some.labels == named.labels[1::-1] and (some.class_scores == named.class_scores[1::-1]).all()


def test_any_image_has_an_answer(predictor, proposer, trained):
    for size_hw in ((1, 1), (3, 90), (200, 7)):
        assert predictor.propose(np.zeros((*size_hw, 3), np.uint8)).size_hw == size_hw
    none = load(proposer, classes=trained / "last" / "model.weights.h5", min_area=1e9)
    assert len(none.propose(scene(0, (90, 120)))) == 0


def test_files_have_numbers_and_names(predictor, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        Image.fromarray(scene(number, (60, 80))).save(path)
    formats = ["overlays", "coco_annotations", "yolo", "cvat", "labelme"]
    assert not propose_images(predictor, paths, Output(tmp_path / "out", formats))
    results = json.loads((tmp_path / "out" / "proposals.json").read_text())
    assert results and all(NARROW.categories[entry["category_id"]] == entry["label"] for entry in results)
    listed = json.loads((tmp_path / "out" / "coco_annotations.json").read_text())["categories"]
    assert {entry["id"]: entry["name"] for entry in listed} == NARROW.categories
    names = (tmp_path / "out" / "yolo" / "data.yaml").read_text().splitlines()[3:]
    assert names == [f'  {number}: "{name}"' for number, name in enumerate(NARROW.classes[1:])]
    labels = (tmp_path / "out" / "cvat.xml").read_text().count("<label>")
    assert labels == len(NARROW.categories)


def test_exported_it_answers_the_same_with_names(predictor, trained, tmp_path):
    classifier = load_classifier(trained / "last" / "model.weights.h5", "float32")
    folder = export(narrow_network(), CONFIG, tmp_path, classifier=classifier)
    image = scene(2, (60, 80))
    expected, found = predictor.propose(image), load_saved_model(tmp_path).propose(image)
    assert found.rles == expected.rles and found.labels == expected.labels
    np.testing.assert_allclose(found.class_scores, expected.class_scores, atol=1e-5)
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    answer = signature(image_bytes=tf.constant([encoded(image, "PNG"), b"x"]))
    assert [text.decode() for text in answer["labels"][0].numpy()][: len(expected)] == expected.labels
    assert set(answer["labels"][1].numpy()) == {b""}
    first = {name: values[:1].numpy() for name, values in answer.items()}
    served = to_proposals(first, "photo", image.shape[:2])
    assert served.rles == expected.rles and served.labels == expected.labels
    assert dict(served.categories) == NARROW.categories


def test_what_names_no_proposals_is_refused(proposer, trained):
    with pytest.raises(UserError, match=r"model\.weights\.h5: instance_fcn names no proposals"):
        load(proposer, classes=proposer)
    with pytest.raises(UserError, match="the classifier voc is not installed here"):
        load(proposer, classes=True)
    with pytest.raises(UserError, match="classifier 'cats' is not known"):
        load(proposer, classes="cats")
    with pytest.raises(UserError, match="mask_classifier has no windows and proposes nothing"):
        load(trained / "last" / "model.weights.h5")


def test_weights_of_other_classes_do_not_fit(trained, proposer, tmp_path):
    """A list of another length than the weights have."""
    weights = trained / "last" / "model.weights.h5"
    (tmp_path / "model.weights.h5").write_bytes(weights.read_bytes())
    record = json.loads((trained / "last" / "config.json").read_text())
    record["model"]["classes"].append("cat")
    (tmp_path / "config.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="holds the weights of another architecture"):
        load(proposer, classes=tmp_path / "model.weights.h5")


def test_what_determines_the_names_is_recorded(predictor):
    described = predictor.settings
    assert described["categories"] == {str(number): name for number, name in NARROW.categories.items()}
    assert described["classifier"]["num_rois"] == 12 and described["proposer"]["num_proposals"] == 8
