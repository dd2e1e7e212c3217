"""The proposer against section 3.3 of the paper, step by step in NumPy, and its laws."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from pycocotools import mask as coco_mask
from scipy import ndimage

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.geometry import OUTSIDE_LOGIT, WindowGrid, position_bins, resized_hw
from ifcn_tf.masks.paste import paste
from ifcn_tf.masks.rle import decode
from ifcn_tf.models.instance_fcn.assembler import assemble
from ifcn_tf.models.method import build_network
from ifcn_tf.predictor import Predictor, load
from ifcn_tf.proposing.boxes import tight_boxes
from ifcn_tf.proposing.proposer import Proposer
from ifcn_tf.proposing.ranking import mask_confidence, overlap_with_better, ranked
from tests.support.tiny import TINY


def blobs(inputs):
    """A stand-in for a network: every window has a rectangle of its own, some none, and a score of its own."""
    windows = tf.cast(inputs["windows"], tf.float32)
    map_hw = tf.cast(-(-tf.shape(inputs["image"])[1:3] // 8), tf.float32)
    phase = windows[..., 0] * 7.3 + windows[..., 1] * 3.1 + map_hw[0]
    cells = tf.range(21, dtype=tf.float32)
    centre, half = 10 + 6 * tf.sin(phase), 5 * tf.sin(phase * 1.7)  # a negative half leaves an empty mask
    rows = half[..., None] - abs(cells - centre[..., None])
    columns = half[..., None] + 1 - abs(cells - 10)
    inside_map = [
        (windows[..., axis, None] - 10 + cells >= 0) & (windows[..., axis, None] - 10 + cells < map_hw[axis])
        for axis in (0, 1)
    ]
    logits = tf.minimum(rows[..., :, None], columns[..., None, :])
    logits = tf.where(inside_map[0][..., :, None] & inside_map[1][..., None, :], logits, OUTSIDE_LOGIT)
    return {"objectness_logits": 3 * tf.sin(phase * 0.9), "mask_logits": logits}


class Windowed:
    """A `WindowModel` around a function of (image, windows) that returns all logits at once."""

    def __init__(self, function):
        self.function = function

    def features(self, image):
        return image

    def objectness(self, image, windows):
        return self.function({"image": image, "windows": windows[None]})["objectness_logits"][0]

    def masks(self, image, windows):
        return self.function({"image": image, "windows": windows[None]})["mask_logits"][0]


def propose_slowly(model, image, config):
    """Section 3.3 "Inference", in the order of the text, with the fill-ins of `ProposerConfig`."""
    height, width = image.shape[:2]
    candidates = []
    sides = [max(1, math.floor(factor * min(height, width) + 0.5)) for factor in config.scale_factors]
    for side in sides or config.shorter_sides:
        new_height, new_width = resized_hw(height, width, side, config.longer_side_limit)
        windows = np.array([(y, x) for y in range(math.ceil(new_height / 8)) for x in range(math.ceil(new_width / 8))])
        resized = np.zeros((1, new_height, new_width, 3), np.float32)
        outputs = model({"image": tf.constant(resized), "windows": tf.constant(windows[None], tf.int32)})
        for (y, x), logit, mask in zip(
            windows, outputs["objectness_logits"][0].numpy(), outputs["mask_logits"][0].numpy(), strict=True
        ):
            window = (
                8 * np.array([y - 10, x - 10, y + 11, x + 11]) * np.tile([height / new_height, width / new_width], 2)
            )
            candidates.append((float(logit), window, mask))
    candidates = sorted(candidates, key=lambda c: -c[0])[: config.pre_nms]
    kept = []
    for logit, window, mask in candidates:
        inside = 1 / (1 + np.exp(-np.clip(mask, -50, 50))) >= config.mask_threshold
        cell = (window[2:] - window[:2]) / 21
        if not inside.any() or inside.sum() * cell.prod() < config.min_area:
            continue
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        box = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]) * np.tile(cell, 2) + np.tile(window[:2], 2)
        box = np.clip(box, 0, [height, width, height, width])
        if all(iou(box, other) <= config.nms_iou for _, other, _, _ in kept):
            kept.append((logit, box, window, mask))
        if len(kept) == max(config.num_proposals, config.num_ranked):
            break
    return ranked_slowly(kept, config)[: config.num_proposals]


def ranked_slowly(kept, config):
    """By objectness and the confidence of masks, less what the overlap with better ones costs."""
    merits = []
    for logit, box, window, mask in kept:
        probability = 1 / (1 + np.exp(-np.clip(mask, -50, 50)))
        mean = np.clip(probability[probability >= config.mask_threshold].mean(), 1e-4, 1 - 1e-4)
        merits.append((logit + config.confidence_weight * np.log(mean / (1 - mean)), box, window, mask))
    merits.sort(key=lambda c: -c[0])
    left = []
    for i, (merit, box, window, mask) in enumerate(merits):
        overlap = max([iou(box, other) for _, other, _, _ in merits[:i]], default=0)
        left.append((merit - config.overlap_penalty * overlap**2, box, window, mask))
    return sorted(left, key=lambda c: -c[0])


def iou(a, b):
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    return sides.prod() / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - sides.prod())


@pytest.mark.parametrize(
    ("size_hw", "settings"),
    [
        ((60, 75), {}),
        ((75, 60), {"pre_nms": 300, "min_area": 400.0}),
        ((37, 120), {"nms_iou": 0.51, "num_proposals": 15, "mask_threshold": 0.7}),
        ((5, 5), {"shorter_sides": (8, 64)}),
        ((60, 75), {"scale_factors": (0.6, 1.25, 2**0.5)}),
        ((75, 20), {"scale_factors": (0.75, 2.0), "longer_side_limit": 140}),
        ((60, 75), {"confidence_weight": 0.7}),
        ((75, 60), {"overlap_penalty": 3.0}),
        ((60, 75), {"confidence_weight": 1.3, "overlap_penalty": 0.6, "num_proposals": 50}),
        ((60, 75), {"confidence_weight": 1.3, "num_proposals": 20, "num_ranked": 40}),
        ((60, 75), {"confidence_weight": 1.3, "num_proposals": 20, "num_ranked": 7}),
    ],
)
def test_equals_the_slow_version(size_hw, settings):
    config = ProposerConfig(**{"shorter_sides": (50, 75, 110), "num_proposals": 200, "nms_iou": 0.79, **settings})
    image = np.zeros((*size_hw, 3), np.uint8)
    found = Proposer(Windowed(blobs), config).compile()(image)
    expected = propose_slowly(blobs, image, config)
    assert len(expected) == len(found["scores"]) > 10
    logits, boxes, windows, masks = (np.array(column) for column in zip(*expected, strict=True))
    np.testing.assert_allclose(found["scores"], 1 / (1 + np.exp(-logits)), atol=1e-5)
    np.testing.assert_allclose(found["boxes_yxyx"], boxes, atol=1e-3)
    np.testing.assert_allclose(found["windows_yxyx"], windows, atol=1e-3)
    np.testing.assert_allclose(found["mask_logits"], masks, atol=1e-4)


def test_tight_boxes_by_hand():
    # 4 x 4 cells of 2 px at (10, 20): rows 1..2 and columns 0..2 are set, that is [12, 16) x [20, 26).
    inside = np.zeros((1, 4, 4), bool)
    inside[0, 1, 0] = inside[0, 2, 2] = True
    assert tight_boxes(tf.constant(inside), tf.constant([[10.0, 20, 18, 28]])).numpy().tolist() == [[12, 20, 16, 26]]


def test_fewer_proposals_are_the_first_of_more():
    image = np.zeros((60, 75, 3), np.uint8)
    settings = {"shorter_sides": (50, 75, 110), "confidence_weight": 1.3, "overlap_penalty": 4.0}
    many, few = (
        Proposer(Windowed(blobs), ProposerConfig(num_proposals=count, **settings)).compile()(image)
        for count in (80, 12)
    )
    for name, values in few.items():
        np.testing.assert_array_equal(values, many[name][:12])


@pytest.mark.parametrize(("num_ranked", "best"), [(1, [1, 0]), (2, [1, 0]), (3, [2, 1]), (4, [3, 2])])
def test_only_what_is_ranked_can_reach_the_top(num_ranked, best):
    """Four windows apart: objectness 0, -1, -2, -3 and 2 x confidence 1, 3, 5, 7, so the last of those ranked wins."""

    def four(inputs):
        number = tf.cast(inputs["windows"][..., 1], tf.float32)  # 0, 1, 2, 3
        return {"objectness_logits": -number, "mask_logits": tf.ones([1, 4, 1, 1]) * (0.5 + number)[..., None, None]}

    config = ProposerConfig(
        shorter_sides=(8,), confidence_weight=2.0, num_proposals=2, num_ranked=num_ranked, nms_iou=0.0
    )
    found = Proposer(Windowed(four), config, WindowGrid(8, 1, 1)).compile()(np.zeros((8, 32, 3), np.uint8))
    assert (found["windows_yxyx"][:, 1] / 8).numpy().tolist() == best


def test_a_duplicate_ranks_behind_a_fainter_new_object():
    """Boxes of 10 x 10: the second shares 10 x 8 of 10 x 12 px with the first, the third lies apart."""
    boxes = tf.constant([[0.0, 0, 10, 10], [0, 2, 10, 12], [50, 0, 60, 10]])
    np.testing.assert_allclose(overlap_with_better(boxes, 3), [0, 80 / 120, 0], atol=1e-6)
    order, left = ranked(tf.constant([2.0, 1.5, 1.0]), boxes, penalty=2.25, most=3)
    assert order.numpy().tolist() == [0, 2, 1]
    np.testing.assert_allclose(left, [2, 1, 0.5], atol=1e-6)
    order, left = ranked(tf.constant([1.5, 2.0, 1.0]), boxes, penalty=2.25, most=3)  # now the first is the duplicate
    assert order.numpy().tolist() == [1, 2, 0]
    np.testing.assert_allclose(left, [2, 1, 0.5], atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 1000, 2345])
def test_overlap_with_better_of_any_number_of_boxes(count):
    rng = np.random.default_rng(count)
    corners, sides = rng.uniform(0, 80, (count, 2)), rng.uniform(1, 20, (count, 2))
    found = overlap_with_better(tf.constant(np.concatenate([corners, corners + sides], 1), tf.float32), 2345)
    boxes_xywh = np.concatenate([corners, sides], 1).reshape(-1, 4)
    ious = np.tril(coco_mask.iou(boxes_xywh, boxes_xywh, [0] * count), -1) if count else np.zeros((0, 0))
    np.testing.assert_allclose(found, ious.max(1, initial=0), atol=1e-5)


def test_a_mask_is_as_confident_as_its_own_cells():
    """Probabilities .8 and .6 are in the mask, .2 is not: their mean .7 has logit ln(7 / 3)."""
    mask = np.array([[[0.8, 0.6], [0.2, 0.2]]])
    logits = tf.constant(np.log(mask / (1 - mask)), tf.float32)
    np.testing.assert_allclose(mask_confidence(logits, 0.5), [math.log(7 / 3)], atol=1e-5)


@pytest.mark.parametrize(("samples", "end"), [(0, 82), (2, 86.5), (3, 87)])
def test_a_border_moves_to_the_edge_of_the_picture(samples, end):
    """The mask falls by 1.5 a cell, from 0 at 80 px: it reaches .4 at 82.2 px. The picture is dark up to 88 px."""

    def model(inputs):
        windows = tf.cast(inputs["windows"], tf.float32)
        row = tf.clip_by_value(1.5 * (9.5 - tf.range(21, dtype=tf.float32)), -6.0, 6.0)
        masks = tf.ones([1, tf.shape(windows)[1], 21, 1]) * row
        return {"objectness_logits": -tf.norm(windows - 10, axis=-1), "mask_logits": masks}

    image = np.zeros((168, 168, 3), np.uint8)
    image[:, 88:] = 200, 180, 220
    config = ProposerConfig(shorter_sides=(168,), num_proposals=1, edge_samples=samples)
    mask = Predictor(Proposer(Windowed(model), config), {}).propose(image).masks()[0]
    np.testing.assert_allclose(mask.sum(1), end, atol=0.5)
    assert mask[:, :80].all()


def test_masks_on_a_picture_of_one_colour_stay():
    """So do scores and windows on any, but for masks of which nothing is left; boxes are of the masks as answered."""
    plain, config = np.full((60, 75, 3), 90, np.uint8), ProposerConfig(shorter_sides=(50, 75, 110))
    predicted, fitted = (
        Proposer(Windowed(blobs), dataclasses.replace(config, edge_samples=samples)).compile() for samples in (0, 3)
    )
    for image in (plain, photograph(60, 75)):
        before, after = predicted(image), fitted(image)
        windows = [tuple(window) for window in after["windows_yxyx"].numpy()]
        kept = np.array([tuple(window) in windows for window in before["windows_yxyx"].numpy()])
        assert kept.mean() > 0.9
        for name in ("scores", "windows_yxyx"):
            np.testing.assert_array_equal(before[name][kept], after[name])
        for mask, window, box in zip(after["mask_logits"].numpy(), windows, after["boxes_yxyx"].numpy(), strict=True):
            rows, columns = np.nonzero(mask >= np.log(config.mask_threshold / (1 - config.mask_threshold)))
            cells = np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
            top, left, bottom, right = window
            expected = np.tile([top, left], 2) + cells / len(mask) * np.tile([bottom - top, right - left], 2)
            np.testing.assert_allclose(box, np.clip(expected, 0, [60, 75, 60, 75]), atol=1e-3)
    assert after["mask_logits"].shape[1:] == (63, 63)
    assert "places" not in after
    before, after = predicted(plain), fitted(plain)
    windows = [tuple(window) for window in after["windows_yxyx"].numpy()]
    kept = np.array([tuple(window) in windows for window in before["windows_yxyx"].numpy()])
    masks, same = (
        decode(paste(logits, after["windows_yxyx"].numpy(), (60, 75)), (60, 75))
        for logits in (before["mask_logits"].numpy()[kept], after["mask_logits"].numpy())
    )
    assert (masks != same).mean() < 1e-3


def test_no_mask_is_smaller_than_asked():
    config = ProposerConfig(shorter_sides=(50, 75, 110), min_area=400.0)
    predictor = Predictor(Proposer(Windowed(blobs), config), {})
    areas = predictor.propose(np.zeros((60, 75, 3), np.uint8)).areas()
    assert len(areas) > 10
    assert areas.min() >= 400


def test_a_network_with_smaller_windows_lies_where_it_belongs():
    network = build_network(dataclasses.replace(TINY, window_cells=15), "float32")
    predictor = Predictor.of_network(network, ProposerConfig(shorter_sides=(160,)))
    found = predictor._graph(tf.constant(photograph(160, 160)))
    sides = found["windows_yxyx"][:, 2:] - found["windows_yxyx"][:, :2]
    np.testing.assert_allclose(sides, 15 * 8)


@pytest.mark.parametrize("samples", [0, 2])
def test_nothing_found_is_an_empty_answer(samples):
    def empty(inputs):
        count = tf.shape(inputs["windows"])[1]
        return {"objectness_logits": tf.ones([1, count]), "mask_logits": tf.fill([1, count, 21, 21], -5.0)}

    found = Proposer(Windowed(empty), ProposerConfig(edge_samples=samples)).compile()(np.zeros((40, 50, 3), np.uint8))
    assert {name: value.shape[0] for name, value in found.items()} == dict.fromkeys(found, 0)


def test_a_model_with_other_windows_and_masks_fits():
    """DeepMask slides 224 px windows by 16 px and predicts 56 x 56 masks."""

    def deepmask(inputs):
        count = tf.shape(inputs["windows"])[1]
        full = tf.fill([1, count, 56, 56], 5.0)
        return {"objectness_logits": tf.cast(tf.range(count), tf.float32)[None], "mask_logits": full}

    config = ProposerConfig(shorter_sides=(320,), nms_iou=1.0)
    found = Proposer(Windowed(deepmask), config, WindowGrid(16, 14, 56)).compile()(np.zeros((320, 480, 3), np.uint8))
    assert found["mask_logits"].shape == (600, 56, 56)  # 20 x 30 windows
    # The last window (19, 29) covers (19 - 7) * 16 .. (19 + 7) * 16 px and (29 - 7) * 16 .. (29 + 7) * 16 px.
    np.testing.assert_allclose(found["windows_yxyx"][0], [192, 352, 416, 576])


def test_one_trace_serves_all_sizes():
    traces = []

    class Counted(Windowed):
        def features(self, image):
            traces.append(1)
            return image

    graph = Proposer(Counted(blobs), ProposerConfig(shorter_sides=(40, 60))).compile()
    assert len(traces) == 2  # one a scale, for any size: a ConcreteFunction is never traced again
    for size in ((30, 40), (41, 33), (8, 8), (1, 1), (3, 90), (64, 64), (50, 20), (77, 13), (20, 21), (9, 99)):
        assert len(graph(np.zeros((*size, 3), np.uint8))["scores"]) > 0


@pytest.fixture(scope="module")
def network():
    return build_network(TINY, "float32")


def photograph(height, width, seed=0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width, 3)), (6, 6, 0))
    return (128 + 100 * noise / abs(noise).max()).astype(np.uint8)


def test_an_image_shifted_by_8_px_gives_masks_shifted_by_8_px(network):
    config = ProposerConfig(shorter_sides=(488,), num_proposals=4000, nms_iou=1.0)  # every window is kept
    graph = Proposer(network.window_model(config), config).compile()
    scene = photograph(496, 504)
    masks = []
    for found in (graph(scene[8:, 16:]), graph(scene[:-8, :-16])):
        corners = found["windows_yxyx"].numpy()[:, :2].round().astype(int)
        masks.append({tuple(corner): mask for corner, mask in zip(corners, found["mask_logits"].numpy(), strict=True)})
    # A score depends on at most 15 cells to either side, so this far inside no border is felt.
    inner = [(8 * y, 8 * x) for y in range(15, 25) for x in range(15, 24)]
    compared = [(masks[0][y, x], masks[1][y + 8, x + 16]) for y, x in inner if (y, x) in masks[0]]
    assert len(compared) > 20
    np.testing.assert_allclose(*zip(*compared, strict=True), rtol=1e-3, atol=1e-4)


def touching_objects():
    """Two objects of 13 x 10 cells side by side on a 40 x 40 map: their cells, and their windows' centres."""
    centres = [(20, 15), (20, 25)]
    return centres, [np.s_[14:27, 10:20], np.s_[14:27, 20:30]]


def ideal_score_maps(k):
    """Map b is high where a cell lies in part b of the object that it belongs to, as figure 1 of the paper draws it."""
    maps, bins = np.full((40, 40, k * k), -4.0, np.float32), position_bins(k, 21)
    for (y, x), (rows, columns) in zip(*touching_objects(), strict=True):
        for row, column in itertools.product(range(rows.start, rows.stop), range(columns.start, columns.stop)):
            maps[row, column, bins[row - y + 10] * k + bins[column - x + 10]] = 4.0
    return maps


@pytest.mark.parametrize(("k", "separate"), [(3, True), (5, True), (7, True), (1, False)])
def test_touching_objects_come_out_as_two_masks(k, separate):
    """Figure 1: k * k maps tell instances apart; the one map of a plain FCN merges what touches."""
    maps, (centres, objects) = ideal_score_maps(k), touching_objects()

    def model(inputs):
        peaks = tf.constant(centres)[None, None]
        distance = tf.norm(tf.cast(inputs["windows"][:, :, None] - peaks, tf.float32), axis=-1)
        masks = assemble(tf.constant(maps[None]), inputs["windows"], k, 21)
        return {"objectness_logits": 3 - tf.reduce_min(distance, -1), "mask_logits": masks}

    config = ProposerConfig(shorter_sides=(320,), num_proposals=2, nms_iou=0.8)
    found = Proposer(Windowed(model), config).compile()(np.zeros((320, 320, 3), np.uint8))
    rles = paste(found["mask_logits"].numpy(), found["windows_yxyx"].numpy(), (320, 320), 0.5)
    masks = decode(rles, (320, 320))
    truth = np.zeros((2, 320, 320), bool)
    for full, (rows, columns) in zip(truth, objects, strict=True):
        full[rows.start * 8 : rows.stop * 8, columns.start * 8 : columns.stop * 8] = True
    overlap = np.array([[(m & t).sum() / (m | t).sum() for t in truth] for m in masks])
    if separate:
        assert sorted(overlap.argmax(1)) == [0, 1]
        assert overlap.max(1).min() > 0.9
        assert overlap.min(1).max() < 0.05
    else:
        assert (overlap.max(1) < 0.75).all()
        assert ndimage.label(masks.any(0))[1] == 1  # and one connected region, so nothing could part them


def test_bfloat16_and_float32_agree_on_a_photograph(backbone_weights, coco_root):
    """Tolerance: of the best 100 proposals of either precision 95 % overlap one of the other's 1,000 at IoU .8."""
    ours = []
    for precision in ("float32", "bfloat16"):
        predictor = load(backbone_weights=str(backbone_weights), precision=precision, shorter_sides=(267, 400))
        ours.append(predictor.propose(coco_root / "val2017" / "000000000139.jpg"))
    for one, other in (ours, ours[::-1]):
        overlaps = coco_mask.iou(one.rles[:100], other.rles, [0] * len(other))
        assert (overlaps.max(1) > 0.8).mean() >= 0.95
