"""From a decoded image to ranked proposals in one TensorFlow graph (section 3.3, "Inference")."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import cast

import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.images.tensors import Resize, resize
from ifcn_tf.masks.edges import enlarge
from ifcn_tf.masks.paste import logit
from ifcn_tf.proposing.boxes import quotient, some, suppressed, tight_boxes, within
from ifcn_tf.proposing.chips import CHIP, Focusing
from ifcn_tf.proposing.edges import Fitted, follow_edges
from ifcn_tf.proposing.pyramid import Pyramid
from ifcn_tf.proposing.ranking import merit, ranked, with_expected_iou
from ifcn_tf.proposing.scales import Scale, Tensors, dense_windows, of_own_scale
from ifcn_tf.proposing.statistics import mask_statistics
from ifcn_tf.proposing.window_model import TRUNK, DescribingModel, Refining, WindowModel

#: What is said of each proposal, beside its score.
_ANSWERED = ("boxes_yxyx", "windows_yxyx", "mask_logits")
#: An image of any size.
IMAGE = tf.TensorSpec([None, None, 3], tf.uint8, "image")


@dataclasses.dataclass(frozen=True)
class Proposer:
    """Proposes the objects of an image with any model that scores windows.

    Attributes:
        model: a `WindowModel`.
        config: scales, thresholds and counts.
        grid: the windows; the paper's by default. The resolution m of their masks is the model's own.
        score_head: from the descriptors [n, D] of proposals to the logits [n] of the IoU that is to be expected of
            them, or None; the model then is a `DescribingModel`.
        refiner: what corrects the masks that are fitted to the picture, or None; likewise.
        focus: what tells which part of finer scales to look at, or None; the model then is a `DescribingModel`.
        resize: `images.tensors.resize`, or in an operator set that lacks it, `resize_by_products`.
        size_type: of the products of sides. 32 bits, where there are no others, suffice for sides up to
            2^31 / (2 longer_side_limit).
    """

    model: WindowModel
    config: ProposerConfig
    grid: WindowGrid = dataclasses.field(default_factory=WindowGrid)
    score_head: Callable[[tf.Tensor], tf.Tensor] | None = None
    refiner: Refining | None = None
    focus: Focusing | None = None
    resize: Resize = resize
    size_type: tf.DType = tf.int64

    @property
    def refines(self) -> bool:
        """Whether masks are refined."""
        return self.refiner is not None and self.config.edge_samples > 0

    def compile(self) -> tf.types.experimental.ConcreteFunction:
        """The proposer as one graph, traced once for images of any size."""
        return tf.function(self.__call__, autograph=False).get_concrete_function(IMAGE)

    def __call__(self, image: tf.Tensor) -> Tensors:
        """Proposes the objects of one image.

        Args:
            image: uint8 [H, W, 3], RGB.

        Returns:
            A dict of float32 tensors, n <= num_proposals, best first:
                scores: [n] in 0..1: what `ranking.ranked` leaves of objectness; or with a score head the IoU with an
                    object that is to be expected, by which alone they are not ordered.
                boxes_yxyx: [n, 4], tight boxes of the masks' cells, pixels of `image`, within it.
                windows_yxyx: [n, 4], where each mask lies, pixels of `image`; windows may overhang it.
                mask_logits: [n, m, m]; [n, s m, s m] where `edge_samples` is s > 0.
        """
        return self.of_features(image, self.features(image))

    def of_features(self, image: tf.Tensor, features: Sequence[Tensors]) -> Tensors:
        """As `__call__`, given what `features` gives."""
        kept, asked = self.unrefined(image, features)
        return self.ranked(image, kept, self.refined(asked))

    def described(self, image: tf.Tensor) -> Tensors:
        """What suppression leaves of one image, with what a score head is asked of it.

        Args:
            image: uint8 [H, W, 3], RGB.

        Returns:
            boxes_yxyx, windows_yxyx and mask_logits as of `__call__`, those first that are refined, and
            descriptors, float32 [n, D]: the model's, then `statistics.mask_statistics`.
        """
        kept, asked = self.unrefined(image, self.features(image), describe=True)
        kept = self._outlined(kept, self.refined(asked), image)
        answer = {**kept, "descriptors": self._descriptors(kept, image)}
        return _left(kept["logits"], answer, *_ANSWERED, "descriptors")

    def unrefined(
        self, image: tf.Tensor, features: Sequence[Tensors], describe: bool = False
    ) -> tuple[Tensors, Tensors]:
        """What suppression leaves of one image, and what a refiner is asked of it.

        Args:
            image: uint8 [H, W, 3], RGB.
            features: what the model finds in each image of `pyramid`, as `features` gives it.
            describe: whether the model is asked for descriptors though there is no score head.

        Returns:
            logits and merits [n], windows_yxyx and boxes_yxyx [n, 4] and mask_logits, and where they are asked for
            "seen" [n, C], the model's descriptors, those first that are refined, with "scores" [n], `_scores` of their
            coarse masks; then the inputs of `models.refiner.Refiner.network` for them, the first `num_refined`, or
            nothing where masks stay. Where nothing is left there is one of logit -inf, since runtimes refuse empty
            tensors.
        """
        scales = self._scales(image, features)
        kept, asked = self._select(self._best(scales), tf.shape(image)), Tensors()
        kept["merits"] = merit(kept["logits"], kept["mask_logits"], self.config)
        if describe or self.score_head is not None:
            kept["seen"] = self._seen(scales, kept)
        if self.refines:
            kept = self._in_order({**kept, "scores": self._scores(kept, image)})
        if self.config.edge_samples:
            best, coarse = self._parted(kept)
            fitted = self._fitted(best, scales, image)
            kept["mask_logits"] = tf.concat([fitted.mask_logits, coarse], 0)
            if self.refines:
                asked = self._asked(best, scales, fitted)
        return {name: values for name, values in kept.items() if name not in ("scale", "window")}, asked

    def refined(self, asked: Tensors) -> tf.Tensor | None:
        """The masks that a refiner makes of what it is asked by `unrefined`, None where it is asked nothing."""
        return cast(Refining, self.refiner).network(asked) if asked else None

    def ranked(self, image: tf.Tensor, kept: Tensors, refined: tf.Tensor | None) -> Tensors:
        """What `__call__` returns, of what `unrefined` and `refined` do."""
        kept, most = self._outlined(kept, refined, image), self.config.num_proposals
        count = None if refined is None else tf.shape(refined)[0]  # nothing is new of the others
        scores = self._scores({name: values[:count] for name, values in kept.items()}, image)
        if refined is not None:
            scores = tf.concat([scores, kept["scores"][count:]], 0)
        order, merits = self._rank({**kept, "scores": scores})
        answer = {name: tf.gather(kept[name], order[:most]) for name in _ANSWERED}
        answer["scores"] = tf.sigmoid(merits if self.score_head is None else tf.gather(scores, order))[:most]
        return _left(merits, answer, *answer)

    def _scores(self, kept: Tensors, image: tf.Tensor) -> tf.Tensor:
        """The logit of what is to be expected of each proposal, or without a score head what it deserves."""
        if self.score_head is None:
            return kept["merits"]
        return self.score_head(self._descriptors(kept, image))[:, 0]

    def _rank(self, kept: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
        """The order of proposals with scores, and what merit is left of each in it."""
        merits, boxes = kept["merits"], kept["boxes_yxyx"]
        if self.score_head is not None:
            merits = with_expected_iou(kept["scores"], merits)
        merits = tf.where(some(boxes), merits, -math.inf)  # or fitted or refined to nothing
        return ranked(merits, boxes, self.config.overlap_penalty, self.config.post_nms)

    def best_windows(self, image: tf.Tensor) -> Tensors:
        """The windows of highest objectness over all scales, before empty and overlapping ones are dropped.

        Args:
            image: uint8 [H, W, 3], RGB.

        Returns:
            logits [n], mask_logits [n, m, m] and windows_yxyx [n, 4], n <= pre_nms; of each its scale, int32 [n], and
            its window in it, int32 [n, 2].
        """
        return self._best(self._scales(image, self.features(image)))

    @property
    def pyramid(self) -> Pyramid:
        """The images in which the model looks."""
        return Pyramid(self.config, self.grid, self.focus, self.resize, self.size_type)

    def features(self, image: tf.Tensor) -> list[Tensors]:
        """What the model finds in each image of the pyramid: uint8 [H, W, 3] -> its features, one dict a scale."""
        return [found for _, found in self.seen(image)]

    def seen(self, image: tf.Tensor) -> list[tuple[tf.Tensor, Tensors]]:
        """The images that the model sees of one, uint8 [H, W, 3], and the features that it finds in each."""
        whole = [(resized, self.model.features(resized)) for resized in self.pyramid.whole(image)]
        chips = self.pyramid.chips(image, [found for _, found in whole])
        return whole + [(part["image"], self.model.features(part["image"]) | {CHIP: part[CHIP]}) for part in chips]

    def _scales(self, image: tf.Tensor, features: Sequence[Tensors]) -> list[Scale]:
        sizes, count = self.pyramid.sizes(image), len(features) - len(self.pyramid.finer)
        chips = [None] * count + [found[CHIP] for found in features[count:]]
        by_scale = zip(sizes, features, chips, strict=True)
        return [self._score_windows(image, *size, found, chip) for size, found, chip in by_scale]

    def _best(self, scales: list[Scale]) -> Tensors:
        logits = tf.concat([scale.logits for scale in scales], 0)
        best = tf.math.top_k(logits, tf.minimum(self.config.pre_nms, tf.size(logits)), sorted=False).indices
        return self._assemble(scales, tf.sort(best))  # masks are read from memory in its order: a sixth of the time

    def _score_windows(
        self, image: tf.Tensor, height: tf.Tensor, width: tf.Tensor, features: Tensors, chip: tf.Tensor | None
    ) -> Scale:
        pixel_hw = quotient(tf.shape(image)[:2], tf.stack([height, width]))
        if chip is None:
            origin, windows = 0, dense_windows(*self.grid.map_hw(height, width))
        else:
            origin, first, end = tf.unstack(chip)
            windows = first + dense_windows(*tf.unstack(end - first))
        logits = self.model.objectness(features, windows - origin)
        return Scale(features, windows, logits, (height, width), pixel_hw, origin)

    def _assemble(self, scales: list[Scale], best: tf.Tensor) -> Tensors:
        """What `best_windows` returns of the windows numbered `best`, counted through all scales."""
        offset, candidates = 0, []
        for number, scale in enumerate(scales):
            count = tf.size(scale.logits)
            chosen = tf.boolean_mask(best, (best >= offset) & (best < offset + count)) - offset
            windows = tf.gather(scale.windows, chosen)
            corners = self.grid.extent(windows)
            candidates.append(
                {
                    "logits": tf.gather(scale.logits, chosen),
                    "mask_logits": self.model.masks(scale.features, windows - scale.origin),
                    "windows_yxyx": tf.concat([tf.cast(c, tf.float32) * scale.pixel_hw for c in corners], 1),
                    "scale": tf.fill([tf.size(chosen)], number),
                    "window": windows,
                }
            )
            offset += count
        return {name: tf.concat([scale[name] for scale in candidates], 0) for name in candidates[0]}

    def _select(self, candidates: Tensors, image_shape: tf.Tensor) -> Tensors:
        """Drops empty and small masks, then suppresses duplicates."""
        inside = candidates["mask_logits"] >= logit(self.config.mask_threshold)
        windows = candidates["windows_yxyx"]
        boxes = within(tight_boxes(inside, windows), image_shape)
        usable = some(boxes)
        if self.config.min_area:
            cells = tf.reduce_sum(tf.cast(inside, tf.float32), [1, 2])
            window_px2 = tf.reduce_prod(windows[:, 2:] - windows[:, :2], 1)
            usable &= cells * window_px2 / tf.cast(tf.size(inside[0]), tf.float32) >= self.config.min_area
        logits = tf.where(usable, candidates["logits"], -math.inf)  # never selected
        kept = suppressed(boxes, logits, self.config.post_nms, self.config.nms_iou)
        proposals = {**candidates, "logits": logits, "boxes_yxyx": boxes}
        return {name: tf.gather(values, kept) for name, values in proposals.items()}

    def _in_order(self, kept: Tensors) -> Tensors:
        """Proposals in the order that they have by their first masks."""
        order, _ = self._rank(kept)
        return {name: tf.gather(values, order) for name, values in kept.items()}

    def _outlined(self, kept: Tensors, refined: tf.Tensor | None, image: tf.Tensor) -> Tensors:
        """With refined masks in place of the first ones, and boxes around all; of one without a cell it has no area."""
        if not self.config.edge_samples:
            return kept
        masks = kept["mask_logits"]
        if refined is not None:
            masks = tf.concat([refined, masks[tf.shape(refined)[0] :]], 0)
        boxes = tight_boxes(masks >= logit(self.config.mask_threshold), kept["windows_yxyx"])
        return {**kept, "mask_logits": masks, "boxes_yxyx": within(boxes, tf.shape(image))}

    def _descriptors(self, kept: Tensors, image: tf.Tensor) -> tf.Tensor:
        """What a score head is asked of proposals, float32 [n, D]."""
        size_hw = tf.cast(tf.shape(image)[:2], tf.float32)
        return tf.concat([kept["seen"], mask_statistics(kept, size_hw, self.config.mask_threshold)], 1)

    def _seen(self, scales: list[Scale], kept: Tensors) -> tf.Tensor:
        """The model's descriptors of proposals, float32 [n, C]; the features are those of a proposal's own scale."""
        model = cast(DescribingModel, self.model)
        return of_own_scale(
            scales,
            kept,
            lambda scale, chosen: model.descriptors(scale.features, chosen["window"], chosen["mask_logits"]),
        )

    def _parted(self, kept: Tensors) -> tuple[Tensors, tf.Tensor]:
        """What a refiner sees of those proposals that it refines, or of all; and the masks of the others, as fine."""
        count = self.config.num_refined if self.refines else self.config.post_nms
        best = {name: kept[name][:count] for name in ("scale", "window", "mask_logits")}
        fine = enlarge(kept["mask_logits"], self.config.edge_samples)  # of all: LiteRT multiplies no empty tensors
        return best, fine[count:]

    def _fitted(self, proposals: Tensors, scales: list[Scale], image: tf.Tensor) -> Fitted:
        corners, _ = self.grid.extent(proposals["window"])
        places = tf.concat([proposals["scale"][:, None], corners], 1)
        masks, pyramid_hw = proposals["mask_logits"], [scale.size_hw for scale in scales]
        samples = self.config.edge_samples
        return follow_edges(masks, places, image, pyramid_hw, self.grid.window_px, samples, self.resize)

    def _asked(self, proposals: Tensors, scales: list[Scale], fitted: Fitted) -> Tensors:
        """What a refiner is asked of proposals: the inputs of `models.refiner.Refiner.network`."""
        model, project = cast(DescribingModel, self.model), cast(Refining, self.refiner).projection
        features = of_own_scale(
            scales,
            proposals,
            lambda scale, chosen: model.in_windows(project(scale.features[TRUNK]), chosen["window"]),
        )
        seen = {"mask_logits": fitted.held, "fitted": fitted.mask_logits, "colours": fitted.colours}
        return {"features": features, **seen}


def _left(logits: tf.Tensor, answer: Tensors, *names: str) -> Tensors:
    """Some entries of an answer, without those last ones whose logits [n] are -inf."""
    some = tf.size(tf.where(logits > -math.inf))
    return {name: answer[name][:some] for name in names}
