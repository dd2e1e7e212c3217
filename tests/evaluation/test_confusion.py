"""FCN's measures: sums done by hand, and another program's confusion matrix."""

import numpy as np
import pytest

from ifcn_tf.common.classes import VOID
from ifcn_tf.evaluation.confusion import class_accuracies, class_ius, confusion, pixel_measures

TRUTH = np.array([[0, 0, 0, 0, 1, 1], [1, 2, 2, VOID, VOID, 0]])
FOUND = np.array([[0, 0, 1, 0, 1, 0], [1, 2, 0, 200, 3, 0]])
#: Of class 0 four of five pixels are right, one is taken for 1; of 1 two of three; of 2 one of two; class 3 is nowhere.
MATRIX = np.array([[4, 1, 0, 0], [1, 2, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])


def test_void_pixels_count_nowhere():
    np.testing.assert_array_equal(confusion(TRUTH, FOUND, 4), MATRIX)


def test_measures_are_sums_done_by_hand():
    """IU: 4 of 4 + 1 + 2, 2 of 2 + 1 + 1, 1 of 1 + 1; accuracy 4/5, 2/3, 1/2; 7 of 10 pixels are right."""
    np.testing.assert_allclose(class_ius(MATRIX), [400 / 7, 50, 50, np.nan])
    np.testing.assert_allclose(class_accuracies(MATRIX), [80, 200 / 3, 50, np.nan])
    found = pixel_measures(MATRIX)
    assert float(found["pixel_accuracy"]) == pytest.approx(70)
    assert float(found["mean_accuracy"]) == pytest.approx((80 + 200 / 3 + 50) / 3)
    assert float(found["mean_iu"]) == pytest.approx((400 / 7 + 50 + 50) / 3)
    assert float(found["weighted_iu"]) == pytest.approx(0.5 * 400 / 7 + 0.3 * 50 + 0.2 * 50)


def test_a_class_that_is_answered_and_nowhere_true_has_an_iu_of_0():
    """It lowers the mean IU, and has no accuracy."""
    matrix = np.array([[3, 1], [0, 0]])
    assert class_ius(matrix).tolist() == [75, 0]
    assert (float(pixel_measures(matrix)["mean_iu"]), float(pixel_measures(matrix)["mean_accuracy"])) == (37.5, 75)


def test_many_matrices_are_measured_at_once():
    several = np.stack([MATRIX, 2 * MATRIX, np.eye(4, dtype=int), np.zeros((4, 4), int)])
    together, alone = pixel_measures(several), [pixel_measures(matrix) for matrix in several]
    for name, values in together.items():
        np.testing.assert_allclose(values, [one[name] for one in alone])
        assert values[0] == values[1] and values[2] == 100 and np.isnan(values[3])


def test_it_is_the_matrix_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    truth, found = np.random.default_rng(0).integers(0, 5, (2, 30, 40))
    truth[::7] = VOID
    counted = truth != VOID
    expected = metrics.confusion_matrix(truth[counted], found[counted], labels=range(5))
    np.testing.assert_array_equal(confusion(truth, found, 5), expected)
    jaccard = metrics.jaccard_score(truth[counted], found[counted], labels=range(5), average=None)
    np.testing.assert_allclose(class_ius(expected), 100 * jaccard)
