"""Whether scores are what they say, by hand, and what the command makes of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.calibration import Calibration, best_ious, calibration
from ifcn_tf.evaluation.evaluate import evaluate
from ifcn_tf.evaluation.matching import match_with_pycocotools
from ifcn_tf.evaluation.run import Outputs, evaluate_files, read_truth
from tests.support.evaluation_data import annotation, entry, load, rectangle, truth_content, write

CONFIG = EvaluationConfig(num_proposals=(10,), resamples=2)
SIZE_HW = (20, 20)
OBJECT = rectangle(SIZE_HW, 0, 0, 10, 10)


def test_tenths_by_hand():
    found = Calibration.of(np.array([0.05, 0.13, 0.17, 1.0]), np.array([0.0, 0.3, 0.1, 0.8]))
    assert found.counts.tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    np.testing.assert_allclose(found.scores[[0, 1, 9]], [0.05, 0.15, 1])
    np.testing.assert_allclose(found.ious[[0, 1, 9]], [0, 0.2, 0.8])
    assert found.error == pytest.approx((0.05 + 2 * 0.05 + 0.2) / 4)
    assert [tenth["from"] for tenth in found.to_dict()["tenths"]] == [0, 0.1, 0.9]


def test_no_proposals_have_no_error():
    assert Calibration.of(np.zeros(0), np.zeros(0)).error == 0


def test_a_crowd_hides_what_it_covers_by_half():
    ious = np.array([[0.2, 0.3, 0.9], [0.0, 0.6, 0.5], [0.7, 0.1, 0.4]])
    best, counts = best_ious(ious, np.array([False, False, True]))
    assert (best.tolist(), counts.tolist()) == ([0.3, 0.6, 0.7], [False, False, True])
    assert best_ious(np.zeros((2, 0)), np.zeros(0, bool))[0].tolist() == [0, 0]


def case(scores: list[float]) -> tuple[dict, list[dict]]:
    """Image 0 has an object, found whole and by half, and a crowd; image 1 has none."""
    crowd = annotation(2, 0, rectangle(SIZE_HW, 10, 10, 20, 20), iscrowd=1)
    content = truth_content(dict.fromkeys(range(2), SIZE_HW), [annotation(1, 0, OBJECT), crowd])
    masks = [(0, OBJECT), (0, rectangle(SIZE_HW, 0, 0, 10, 5)), (0, rectangle(SIZE_HW, 12, 12, 18, 18)), (1, OBJECT)]
    return content, [entry(image, mask, score) for (image, mask), score in zip(masks, scores, strict=True)]


def test_every_image_counts_and_what_lies_in_a_crowd_does_not(tmp_path):
    found = evaluate(*load(tmp_path, *case([0.95, 0.45, 0.35, 0.25])), "test", CONFIG).calibration
    assert found is not None
    assert np.flatnonzero(found.counts).tolist() == [2, 4, 9]
    np.testing.assert_allclose(found.ious[[2, 4, 9]], [0, 0.5, 1])


def test_of_no_proposal_nothing_is_calibrated():
    none = np.zeros(0)
    assert calibration([(none, none), (none, none)]) == (None, ["no proposal counts: no reliability plot"])


@pytest.mark.parametrize("worst, drawn", [(0.0, True), (-0.5, False), (1.01, False)])
def test_scores_outside_of_0_to_1_have_no_plot_and_one_sentence(tmp_path, capsys, worst: float, drawn: bool):
    content, entries = case([0.95, 0.45, 0.35, worst])
    truth, results = write(tmp_path / "truth.json", content), write(tmp_path / "results.json", entries)
    outputs = Outputs(tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "reliability.png").touch()  # of an earlier evaluation
    evaluate_files(
        {"mine": str(results)}, read_truth(str(truth), None, "", None), CONFIG, match_with_pycocotools, outputs
    )
    sentence = f"NOTE: mine: 1 of 3 scores lie outside of 0..1, such as {worst:g}: no reliability plot.\n"
    assert (sentence in capsys.readouterr().out) == (not drawn)
    assert (tmp_path / "out" / "reliability.png").exists() == (tmp_path / "out" / "reliability.svg").exists() == drawn
    described = json.loads((tmp_path / "out" / "metrics.json").read_text())["methods"][0]["calibration"]
    assert (described is not None) == drawn
    if described:
        assert described["expected_calibration_error"] == pytest.approx(0.1 / 3, abs=1e-6)
