"""Label images against truth, from folders to files."""

import json

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.confusion import pixel_measures
from ifcn_tf.evaluation.run import evaluate_segmentation
from ifcn_tf.evaluation.segmentation import evaluate_classes, read_class_truth
from tests.evaluation.test_confusion import FOUND, MATRIX, TRUTH

CONFIG = EvaluationConfig(resamples=50)


def png(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path):
    """Two images: the one of the measures, and one of four right pixels of class 3."""
    for folder, values in (("truth", TRUTH), ("answers", np.minimum(FOUND, 3))):
        png(tmp_path / folder / "a.png", values)
        png(tmp_path / folder / "b.png", np.full((2, 2), 3))
    (tmp_path / "answers" / "classes.txt").write_text("ground\nball\ncup\ndog\n")
    return tmp_path


def truth_of(folders):
    return read_class_truth(folders / "answers", str(folders / "truth"), None, "val")


def test_all_images_share_one_matrix(folders):
    found, total = evaluate_classes(folders / "answers", truth_of(folders), CONFIG), MATRIX.copy()
    total[3, 3] = 4
    np.testing.assert_array_equal(found.matrix, total)
    assert (found.images, list(found.names)) == (2, ["ground", "ball", "cup", "dog"])
    for name, (value, (low, high)) in found.measures.items():
        assert value == pytest.approx(float(pixel_measures(total)[name]))
        assert low <= value <= high == 100  # a resample may be of image b twice
    assert found.ius[3] == 100 and found.ius_intervals[3].tolist() == [100, 100]


def test_tables_and_files_are_written(folders, capsys):
    evaluate_segmentation(folders / "answers", truth_of(folders), CONFIG, folders / "out")
    printed = capsys.readouterr().out
    assert "mean IU" in printed and "dog" in printed
    content = json.loads((folders / "out" / "metrics.json").read_text())
    assert content["metrics"]["pixel_accuracy"] == pytest.approx(100 * 11 / 14)
    assert content["class_iu"]["ball"] == 50
    lines = (folders / "out" / "classes.csv").read_text().splitlines()
    assert len(lines) == 5 and lines[4].startswith("dog,100.000000,")
    assert Image.open(folders / "out" / "confusion.png").size[0] > 300


def test_a_split_of_voc_is_truth(tmp_path):
    voc = tmp_path / "VOC"
    png(voc / "SegmentationClass" / "a.png", np.full((3, 3), 15))
    png(tmp_path / "answers" / "a.png", np.full((3, 3), 15))
    (voc / "ImageSets" / "Segmentation").mkdir(parents=True)
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")
    truth = read_class_truth(tmp_path / "answers", None, str(voc), "val")
    assert evaluate_classes(tmp_path / "answers", truth, CONFIG).measures["mean_iu"] == (100, (100, 100))
    (tmp_path / "answers" / "classes.txt").write_text("ground\nball\n")
    with pytest.raises(UserError, match=r"names 2 classes that are not VOC's 21"):
        read_class_truth(tmp_path / "answers", None, str(voc), "val")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda f: png(f / "truth" / "a.png", TRUTH + 2),
            "truth/a.png has the value 4, and there are 4 classes, 0 to 3",
        ),
        (lambda f: png(f / "answers" / "b.png", np.full((2, 2), 255)), "answers/b.png has the value 255"),
        (lambda f: png(f / "answers" / "b.png", np.zeros((2, 3))), r"b.png is \(2, 3\) \(height, width\)"),
        (lambda f: (f / "answers" / "b.png").unlink(), r"1 of 2 images of .* have no label image in .* \(b\)"),
        (lambda f: (f / "answers" / "b.png").write_text("x"), "answers/b.png: cannot identify"),
        (lambda f: png(f / "answers" / "b.png", np.zeros((2, 2, 3))), "labels have one channel, not RGB"),
        (lambda f: (f / "answers" / "classes.txt").unlink(), "classes.txt is not there"),
        (lambda f: (f / "answers" / "classes.txt").write_text("a\n\nb\n"), "has an empty name"),
        (
            lambda f: [png(f / "truth" / f"{n}.png", s) for n, s in (("a", TRUTH * 0 + 255), ("b", [[255] * 2] * 2))],
            "void",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_by_its_name(folders, change, sentence):
    change(folders)
    with pytest.raises(UserError, match=sentence):
        evaluate_classes(folders / "answers", truth_of(folders), CONFIG)


def test_truth_is_given_once(tmp_path):
    for places in ((None, None), ("masks", "VOC")):
        with pytest.raises(UserError, match="give the truth"):
            read_class_truth(tmp_path, *places, "val")
