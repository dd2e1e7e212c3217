"""Average recall: worked out by hand, by an obvious loop, and by pycocotools' own summary."""

from __future__ import annotations

import contextlib
import io
import math
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.evaluate import Evaluation, evaluate
from ifcn_tf.evaluation.matching import MATCHERS, THRESHOLDS
from ifcn_tf.evaluation.truth import Truth, read_coco
from ifcn_tf.results.reader import Results, read_results
from tests.support.evaluation_data import annotation, entry, load, random_case, rectangle, truth_content, write

LIMITS = (10, 100, 1000)


def quick(results: Results, truth: Truth, limits=LIMITS, backend: str = "pycocotools") -> Evaluation:
    config = EvaluationConfig(num_proposals=limits, resamples=20)
    return evaluate(results, truth, "test", config, MATCHERS[backend])


def recalls(evaluation: Evaluation) -> dict[tuple[str, str, int], tuple[float, ...]]:
    """Every recall at every threshold, and the mean best IoU."""
    return {
        (kind, size, m.limit): (*m.recalls, m.mean_best_iou)
        for kind, evaluated in evaluation.kinds.items()
        for size, measures in evaluated.measures.items()
        for m in measures
    }


def assert_same(a: Evaluation, b: Evaluation, tolerance: float = 0.0) -> None:
    first, second = recalls(a), recalls(b)
    assert first.keys() == second.keys()
    for key, values in first.items():
        np.testing.assert_allclose(values, second[key], rtol=0, atol=tolerance, err_msg=str(key))


@pytest.fixture(params=MATCHERS)
def backend(request) -> str:
    if request.param == "fast":
        pytest.importorskip("hotcoco")
    return request.param


def part(pixels: int, left: int) -> np.ndarray:
    """The first `pixels` pixels, row by row, of the 10 x 10 square that begins at column `left` of a 10 x 20 image."""
    mask = np.zeros((10, 20), bool)
    mask[:, left : left + 10] = np.arange(100).reshape(10, 10) < pixels
    return mask


def test_two_images_and_three_objects_on_paper(tmp_path: Path, backend: str):
    # Image 1 holds the squares A and B of 100 px each, image 2 the square C.
    content = truth_content(
        {1: (10, 20), 2: (10, 20)},
        [annotation(0, 1, part(100, 0)), annotation(1, 1, part(100, 10)), annotation(2, 2, part(100, 0))],
    )
    # Image 1, best first: 78 px of A (IoU .78), B itself, A itself. Image 2: a miss, then 63 px of C (IoU .63).
    entries = [
        entry(1, part(78, 0), 0.9),
        entry(1, part(100, 10), 0.8),
        entry(1, part(100, 0), 0.7),
        entry(2, part(100, 10), 0.6),
        entry(2, part(63, 0), 0.5),
    ]
    found = quick(*load(tmp_path, content, entries), (1, 2, 3), backend).kinds["mask"]
    one, two, three = found.measures["all"]
    # Of ten thresholds .78 reaches six (.5 to .75), .63 three (.5, .55, .6), an exact mask all.
    # N = 1: A at 6, B and C at none. N = 2: A at 6, B at 10, C at 3. N = 3: the third recalls A from .8 on.
    assert [one.ar, two.ar, three.ar] == [100 * 6 / 30, 100 * 19 / 30, 100 * 23 / 30]
    assert three.recall_at(0.5) == 100
    assert three.recall_at(0.7) == 100 * 2 / 3
    # Recall 1, 1, 1, then 2/3 eight times (.65 to 1): 2 * .05 * (3 + 16/3 - (1 + 2/3) / 2) = .75
    assert three.hosang == pytest.approx(75, abs=1e-12)
    assert one.mean_best_iou == pytest.approx(100 * 0.78 / 3, abs=1e-12)
    assert two.mean_best_iou == pytest.approx(100 * (0.78 + 1 + 0.63) / 3, abs=1e-12)
    # All have 100 px, so they are small.
    assert [m.ar for m in found.measures["small"]] == [m.ar for m in found.measures["all"]]
    assert math.isnan(found.measures["large"][0].ar)
    assert found.measures["large"][0].objects == 0
    # AUC over log N from 1 to 3: trapezoids between N = 1, 2, 3.
    expected = ((600 + 1900) / 60 * math.log(2) + (1900 + 2300) / 60 * math.log(1.5)) / math.log(3)
    assert found.curves["all"].auc == pytest.approx(expected, abs=1e-9)
    assert found.categories == {"thing": [one.ar, two.ar, three.ar]}


def test_perfect_proposals_recall_everything(tmp_path: Path, backend: str):
    content, _ = random_case(1)
    entries = [{**a, "score": 1.0} for a in content["annotations"]]
    for values in recalls(quick(*load(tmp_path, content, entries), backend=backend)).values():
        assert all(value == 100 or math.isnan(value) for value in values)


def test_no_proposals_recall_nothing(tmp_path: Path, backend: str):
    content, _ = random_case(1)
    evaluation = quick(*load(tmp_path, content, []), backend=backend)
    assert all(value == 0 or math.isnan(value) for values in recalls(evaluation).values() for value in values)
    assert "4 of 4 images have no proposal at all (0, 1, 2, ...)" in evaluation.notes


@pytest.mark.parametrize("shift", [0, 1, 3, 4, 6, 7])
def test_shifted_truth_has_the_known_recall(tmp_path: Path, shift: int, backend: str):
    # A 20 x 20 square moved by d columns: intersection 20 (20 - d), union 20 (20 + d).
    size_hw = (40, 60)
    content = truth_content({7: size_hw}, [annotation(1, 7, rectangle(size_hw, 5, 5, 25, 25))])
    moved = [entry(7, rectangle(size_hw, 5, 5 + shift, 25, 25 + shift), 0.5)]
    evaluation = quick(*load(tmp_path, content, moved), backend=backend)
    iou = (20 - shift) / (20 + shift)
    for kind in ("mask", "box"):
        measure = evaluation.kinds[kind].measures["all"][0]
        np.testing.assert_array_equal(np.array(measure.recalls) == 100, iou >= THRESHOLDS)
        assert measure.mean_best_iou == pytest.approx(100 * iou)


def obvious_recalls(content, entries, limit: int) -> np.ndarray:
    """Recall at each threshold by loops over decoded masks; no crowds, all sizes."""
    recalled = np.zeros(len(THRESHOLDS))
    for image in content["images"]:
        objects = [coco_mask.decode(a["segmentation"]) for a in content["annotations"] if a["image_id"] == image["id"]]
        ranked = sorted((e for e in entries if e["image_id"] == image["id"]), key=lambda e: -e["score"])[:limit]
        proposals = [coco_mask.decode(e["segmentation"]) for e in ranked]
        ious = np.array([[(o & p).sum() / (o | p).sum() for o in objects] for p in proposals])
        for t, threshold in enumerate(THRESHOLDS):
            free = set(range(len(objects)))
            for row in ious:
                best = max(free, key=lambda j: row[j], default=None)
                if best is not None and row[best] >= threshold:
                    free.remove(best)
            recalled[t] += len(objects) - len(free)
    return 100 * recalled / len(content["annotations"])


@pytest.mark.parametrize("seed", range(3))
def test_equals_an_obvious_loop(tmp_path: Path, seed: int, backend: str):
    content, entries = random_case(seed)
    for measure in quick(*load(tmp_path, content, entries), (3, 10, 30), backend).kinds["mask"].measures["all"]:
        np.testing.assert_allclose(measure.recalls, obvious_recalls(content, entries, measure.limit), atol=1e-9)
        assert measure.ar == pytest.approx(np.mean(measure.recalls[:10]))


def coco_stats(content, entries, limits, iou_type: str) -> np.ndarray:
    """pycocotools' own summary of a class-agnostic evaluation, with its traps avoided."""
    annotations = [a | {"id": a["id"] + 1, "category_id": 1} for a in content["annotations"]]
    key = {"segm": "segmentation", "bbox": "bbox"}[iou_type]
    boxes = coco_mask.toBbox([e["segmentation"] for e in entries]).tolist()
    detections = [
        {"image_id": e["image_id"], "category_id": 1, "score": e["score"], key: (e | {"bbox": box})[key]}
        for e, box in zip(entries, boxes, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = content | {"annotations": annotations, "categories": [{"id": 1, "name": "object"}], "info": {}}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(detections), iou_type)
        evaluation.params.useCats = 0
        evaluation.params.maxDets = list(limits)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("crowds", [False, True])
@pytest.mark.parametrize("limits", [(1, 10, 100), (2, 5, 20)])
def test_equals_the_stats_of_pycocotools(tmp_path: Path, limits, crowds: bool, backend: str):
    content, entries = random_case(5, crowds=crowds)
    evaluation = quick(*load(tmp_path, content, entries), limits, backend)
    for kind, iou_type in (("mask", "segm"), ("box", "bbox")):
        measures = evaluation.kinds[kind].measures
        ours = [m.ar for m in measures["all"]] + [measures[size][-1].ar for size in ("small", "medium", "large")]
        np.testing.assert_allclose(np.array(ours) / 100, coco_stats(content, entries, limits, iou_type)[6:], atol=1e-12)


@pytest.mark.parametrize("iou_type, kind", [("segm", "mask"), ("bbox", "box")])
def test_repeated_proposals_count_as_they_do_for_pycocotools(tmp_path: Path, iou_type: str, kind: str, backend: str):
    """Each stands three times, so that the first 10 of an image hold four distinct ones at most."""
    content, entries = random_case(5)
    tripled = [entry for entry in entries for _ in range(3)]
    once, thrice = (quick(*load(tmp_path, content, some), (1, 5, 10), backend) for some in (entries, tripled))
    ours = [m.ar / 100 for m in thrice.kinds[kind].measures["all"]]
    np.testing.assert_allclose(ours, coco_stats(content, tripled, (1, 5, 10), iou_type)[6:9], atol=1e-12)
    assert thrice.kinds[kind].measures["all"][-1].ar < once.kinds[kind].measures["all"][-1].ar


def test_a_crowd_takes_no_proposal_from_an_object(tmp_path: Path, backend: str):
    # The proposal, 100 px, covers the object (63 px) at IoU .63 and equals the crowd: the object is recalled all the
    # same, at three thresholds of ten, and the crowd counts nowhere.
    objects = [annotation(1, 1, part(63, 0)), annotation(2, 1, part(100, 0), iscrowd=1)]
    loaded = load(tmp_path, truth_content({1: (10, 20)}, objects), [entry(1, part(100, 0), 0.5)])
    for limit in LIMITS:
        (measure,) = quick(*loaded, (limit,), backend).kinds["mask"].measures["all"]
        assert (measure.ar, measure.objects) == (30, 1)


@pytest.mark.parametrize("crowds", [False, True])
def test_backends_give_the_same_six_decimals(tmp_path: Path, crowds: bool):
    pytest.importorskip("hotcoco")
    loaded = load(tmp_path, *random_case(8, images=6, crowds=crowds))
    assert_same(quick(*loaded), quick(*loaded, backend="fast"), tolerance=5e-7)


def test_backends_agree_on_real_photographs(tmp_path: Path, coco_root: Path):
    pytest.importorskip("hotcoco")
    truth = read_coco(coco_root / "annotations" / "instances_val2017.json")
    random, entries = np.random.default_rng(0), []
    for image in truth.images[:60]:
        for mask in coco_mask.decode(image.rles).transpose(2, 0, 1).astype(bool) if image.rles else ():
            moves = random.normal(0, 0.1 * np.sqrt(mask.sum()), (5, 2)).round().astype(int)
            entries += [entry(image.image_id, np.roll(mask, move, (0, 1)), random.random()) for move in moves]
    results = read_results(str(write(tmp_path / "results.json", entries)), truth.sizes)
    reference, fast = quick(results, truth), quick(results, truth, backend="fast")
    assert_same(reference, fast, tolerance=5e-7)
    assert 10 < reference.kinds["mask"].measures["all"][-1].ar < 90


def test_order_does_not_matter(tmp_path: Path, backend: str):
    content, entries = random_case(3)
    # Few distinct scores, so that the order of equal ones would decide.
    entries = [e | {"score": round(e["score"], 1)} for e in entries]
    reference = quick(*load(tmp_path, content, entries), (3, 10), backend)
    random = np.random.default_rng(0)
    for _ in range(3):
        shuffled = {name: list(random.permutation(content[name])) for name in ("images", "annotations")}
        assert_same(
            reference, quick(*load(tmp_path, content | shuffled, list(random.permutation(entries))), (3, 10), backend)
        )


@pytest.mark.parametrize("seed", range(4))
def test_more_proposals_never_recall_less(tmp_path: Path, seed: int):
    content, entries = random_case(seed, images=2, proposals=30)
    last = -1.0
    for count in (0, 10, 20, 40, 60):
        ar = quick(*load(tmp_path, content, entries[:count])).kinds["mask"].measures["all"][-1].ar
        assert ar >= last
        last = ar


def test_parts_and_whole_are_the_same(tmp_path: Path):
    content, entries = random_case(4, images=6)
    results, truth = load(tmp_path, content, entries)
    whole = quick(results, truth)
    for i in range(6):
        write(tmp_path / "parts" / f"{i}.json", [e for e in entries if e["image_id"] == i])
    assert_same(whole, quick(read_results(str(tmp_path / "parts" / "*.json"), truth.sizes), truth))
    halves = [Truth("half", truth.images[half], truth.sizes) for half in (slice(0, 2), slice(2, 6))]
    parts = [quick(results, half).kinds["mask"].measures["all"] for half in halves]
    for i, measure in enumerate(whole.kinds["mask"].measures["all"]):
        assert measure.objects == sum(part[i].objects for part in parts)
        assert measure.ar == pytest.approx(sum(part[i].ar * part[i].objects for part in parts) / measure.objects)


def test_notes_say_what_is_missing(tmp_path: Path):
    content, entries = random_case(2, images=3, proposals=12)
    kept = [e for e in entries if e["image_id"] != 1]
    results, truth = load(tmp_path, content, [*kept, kept[0], kept[0]])
    evaluation = quick(results, Truth("two", truth.images[:2], truth.sizes), (10, 20))
    assert evaluation.notes == [
        "intervals of 2 image(s) are too narrow: resamples of so few are too much alike",
        "12 proposals are of images that are not evaluated, and were left out",
        "1 of 2 images have no proposal at all (1)",
        "1 of 2 images have fewer than 10 proposals (fewest: 0)",
        "2 of 2 images have fewer than 20 proposals (fewest: 0)",
        "2 proposals repeat another one, mask, box and score; each of them counts",
    ]
    assert evaluation.num_proposals == 14


def test_boxes_alone_are_evaluated_as_boxes(tmp_path: Path):
    content, entries = random_case(6)
    boxes = coco_mask.toBbox([e["segmentation"] for e in entries]).tolist()
    only = [{k: e[k] for k in ("image_id", "score")} | {"bbox": b} for e, b in zip(entries, boxes, strict=True)]
    evaluation = quick(*load(tmp_path / "b", content, only))
    assert list(evaluation.kinds) == ["box"]
    both = quick(*load(tmp_path / "m", content, entries))
    assert evaluation.kinds["box"].measures == both.kinds["box"].measures


def test_truth_without_objects_is_refused(tmp_path: Path):
    size_hw = (10, 20)
    crowd = annotation(1, 1, part(50, 0), iscrowd=1)
    for objects in ([], [crowd]):
        with pytest.raises(UserError, match="no objects"):
            quick(*load(tmp_path, truth_content({1: size_hw}, objects), [entry(1, part(50, 0), 0.5)]))
