"""mAP^r: by hand, and by pycocotools where the two agree."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.average_precision import Detections
from ifcn_tf.evaluation.instances import evaluate_instances
from ifcn_tf.evaluation.instances_report import evaluate_instance_files
from tests.support.evaluation_data import annotation, entry, load, rectangle, truth_content

CONFIG = EvaluationConfig(resamples=20)
SIZE = (20, 40)


def detections(correct, objects, image=None, counts=None):
    correct = np.array(correct, bool)
    image = np.zeros(len(correct), int) if image is None else np.array(image)
    return Detections(image, correct, np.ones(len(correct), bool) if counts is None else counts, np.array(objects))


def test_average_precision_by_hand():
    # Right, wrong, right of 4 objects: precision 1 up to recall 1/4, 2/3 up to 1/2, nothing beyond.
    found = detections([True, False, True], [4]).average_precisions(np.array([[1]]))
    assert found[:, 0] == pytest.approx([(3 * 1 + 3 * 2 / 3) / 11, (1 + 2 / 3) / 4])  # recalls 0, .1, .2 and .3, .4, .5
    np.testing.assert_array_equal(detections([], [4]).average_precisions(np.array([[1]])), [[0], [0]])
    assert np.isnan(detections([False], [0]).average_precisions(np.array([[1]]))).all()


def test_a_recall_of_three_tenths_is_one():
    found = detections([True] * 3, [10]).average_precisions(np.array([[1]]))
    assert found[:, 0] == pytest.approx([4 / 11, 3 / 10])


def test_an_image_that_counts_twice_is_two_images():
    twice = detections([True, False, True], [1, 2], image=[1, 0, 1]).average_precisions(np.array([[1, 2]]))
    copied = detections([True, True, False, True, True], [1, 2, 2], image=[1, 2, 0, 1, 2])
    assert twice == pytest.approx(copied.average_precisions(np.array([[1, 1, 1]])))


def test_what_lies_in_a_crowd_is_left_out():
    with_it = detections([True, False, True], [2], counts=np.array([True, False, True]))
    assert with_it.average_precisions(np.array([[1]]))[:, 0] == pytest.approx([1, 1])


def named(category, image_id, mask, score):
    return entry(image_id, mask, score) | {"category_id": category}


def two_categories(annotations):
    content = truth_content({1: SIZE, 2: SIZE}, annotations)
    return content | {"categories": [{"id": 3, "name": "cup"}, {"id": 5, "name": "cat"}]}


def left(width):
    return rectangle(SIZE, 0, 0, 10, width)


def test_masks_of_another_category_and_second_masks_are_wrong(tmp_path):
    content = two_categories([annotation(1, 1, left(20)), annotation(2, 2, left(20), category_id=5)])
    entries = [
        named(3, 1, left(20), 0.9),  # right
        named(3, 1, left(19), 0.8),  # the same once more
        named(3, 2, left(20), 0.7),  # a cat
        named(5, 2, left(12), 0.6),  # IoU .6: right at .5, wrong at .7
    ]
    found = evaluate_instances(*load(tmp_path, content, entries), "ours", CONFIG)
    assert found.categories == ("cup", "cat")
    np.testing.assert_allclose(found.precisions, [[[100, 100], [100, 0]]] * 2)
    np.testing.assert_allclose(found.means, [[100, 50]] * 2)


def test_a_better_mask_takes_the_object_first_whatever_their_order_in_the_file(tmp_path):
    content = two_categories([annotation(1, 1, left(20))])
    entries = [named(3, 1, left(20), 0.1), named(3, 1, left(19), 0.8)]
    found = evaluate_instances(*load(tmp_path, content, entries), "ours", CONFIG)
    np.testing.assert_allclose(found.precisions, 100)


def test_it_agrees_with_pycocotools_where_objects_lie_apart(tmp_path):
    random, annotations, entries = np.random.default_rng(0), [], []
    for i in range(12):
        for j in range(4):
            category, mask = int(random.choice([3, 5])), rectangle((20, 80), 0, 20 * j, 16, 20 * j + 16)
            annotations.append(annotation(len(annotations) + 1, i + 1, mask, category_id=category))
            for _ in range(2):
                part = rectangle((20, 80), 0, 20 * j, 16, 20 * j + int(random.integers(5, 17)))
                entries.append(named(int(random.choice([3, 5])), i + 1, part, float(random.random())))
    content = two_categories(annotations) | {
        "images": [{"id": i + 1, "height": 20, "width": 80, "file_name": f"{i}.png"} for i in range(12)]
    }
    results, truth = load(tmp_path, content, entries)
    found = evaluate_instances(results, truth, "ours", CONFIG)
    reference = COCO(str(tmp_path / "truth.json"))
    evaluation = COCOeval(reference, reference.loadRes(str(tmp_path / "results.json")), "segm")
    evaluation.params.recThrs = np.linspace(0, 1, 100_001)  # so fine that the sum is the area
    evaluation.params.iouThrs = np.array([0.5, 0.7])
    evaluation.evaluate()
    evaluation.accumulate()
    areas = evaluation.eval["precision"][:, :, :, 0, -1].mean(1)  # [IoUs, categories]
    np.testing.assert_allclose(found.precisions[1], 100 * areas, atol=0.01)
    plain = COCOeval(reference, reference.loadRes(str(tmp_path / "results.json")), "segm")
    plain.evaluate()
    plain.accumulate()
    plain.summarize()
    assert found.coco == pytest.approx(100 * plain.stats[0])
    assert (found.intervals[..., 0] <= found.means).all() and (found.means <= found.intervals[..., 1]).all()


def test_files_hold_what_was_measured(tmp_path, capsys):
    content = two_categories([annotation(1, 1, left(20)), annotation(2, 2, left(20), category_id=5)])
    _, truth = load(tmp_path, content, [named(3, 1, left(20), 0.9)])
    evaluate_instance_files({"ours": str(tmp_path / "results.json")}, truth, CONFIG, tmp_path / "out")
    held = json.loads((tmp_path / "out" / "instances.json").read_text())["methods"][0]
    assert held["categories"]["cup"]["AP area @0.5"] == 100 and held["mean"]["AP area @0.7"] == 50
    lines = (tmp_path / "out" / "instances.csv").read_text().splitlines()
    assert lines[1] == "ours,cup,1,100.000000,100.000000,100.000000,100.000000"
    assert lines[-1].startswith("ours,mean,2,50.000000")
    assert "mean (mAP^r)" in capsys.readouterr().out


def test_results_that_cannot_be_measured_are_refused(tmp_path):
    content = two_categories([annotation(1, 1, left(20))])
    results, truth = load(tmp_path, content, [named(4, 1, left(20), 0.9)])
    with pytest.raises(UserError, match=r"ours has results of unknown categories \(4\); known are 3, 5"):
        evaluate_instances(results, truth, "ours", CONFIG)
    boxes = [{"image_id": 1, "category_id": 3, "bbox": [0, 0, 4, 4], "score": 0.5}]
    with pytest.raises(UserError, match="boxes only"):
        evaluate_instances(*load(tmp_path, content, boxes), "ours", CONFIG)
    with pytest.raises(UserError, match=r"objects of unknown categories \(3\)"):
        evaluate_instances(*load(tmp_path, content | {"categories": []}, []), "ours", CONFIG)
