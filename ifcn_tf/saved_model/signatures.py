"""What a server runs: from the bytes of a batch of images to proposals, in stock TensorFlow operations alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import tensorflow as tf

from ifcn_tf.classifying.classifier import Classifier
from ifcn_tf.classifying.proposer import NamingProposer
from ifcn_tf.common.classes import BACKGROUND
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.settings import Settings, require
from ifcn_tf.images.tensors import MAX_PIXELS
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.proposing.network import network_proposer
from ifcn_tf.proposing.proposer import IMAGE
from ifcn_tf.proposing.scales import Tensors
from ifcn_tf.proposing.window_model import TRUNK
from ifcn_tf.saved_model.conditions import provided
from ifcn_tf.saved_model.full_masks import pack_batch, refusal
from ifcn_tf.saved_model.image_bytes import decode_upright


@dataclasses.dataclass(frozen=True)
class ServingConfig(Settings):
    """What a served model answers."""

    masks: str = "logits"
    """The windows' masks as "logits", or as "probabilities" (0..1)."""
    full_masks: bool = False
    """Also masks at image size, one bit a pixel (`full_masks.pack_batch`): 38 kB each for 480 x 640 px."""
    max_pixels: int = MAX_PIXELS
    """Larger images are refused, before they are decoded [px]."""

    def __post_init__(self) -> None:
        require(
            self.masks in ("logits", "probabilities"), f'masks must be "logits" or "probabilities", not {self.masks!r}.'
        )
        require(self.max_pixels > 0, f"max_pixels must be positive, not {self.max_pixels}.")


class ServingModule(tf.Module):
    """A network with its proposer as the signatures of a SavedModel.

    Every answer has a leading axis B over the images of the request and is padded with zeros to N proposals:
        num_proposals: int32 [B].
        scores: float32 [B, N], in 0..1, best first (`Proposer.__call__`).
        boxes_yxyx: float32 [B, N, 4], tight boxes of the masks' cells [px of the upright image].
        windows_yxyx: float32 [B, N, 4], where each mask lies [px]; windows may overhang the image.
        mask_logits or mask_probabilities: float32 [B, N, m, m].
        image_hw: int32 [B, 2], size of the upright image [px]; zeros where there is an error.
        mask_threshold, min_area: float32 [B], what whoever pastes the masks needs (`Proposals.from_windows`).
        error: string [B], empty, or one sentence why this image, counted from 1, has no proposals.
        full_masks_packed: if exported so, see `full_masks.pack_batch`.
    Of a model that names its proposals, with C classes:
        category_ids: int32 [B, N], and labels: string [B, N], number and name of each one's class; 0 and empty where
            there is none.
        class_scores: float32 [B, N, C + 1], probability of each class, the background first.
        class_names: string [B, C + 1], and class_ids: int32 [B, C + 1], their names and numbers, 0 of the background.
    An empty batch is an error of the whole request, as are full masks or score maps that would take too much memory.

    Args:
        network: of which the present weights are copied.
        config: scales, thresholds and the number N of proposals.
        serving: limits and form of the answers.
        classifier: what names the proposals, or None.

    Attributes:
        config: as above; N is at most the number of instances that a classifier keeps.
    """

    def __init__(
        self,
        network: WindowMethod,
        config: ProposerConfig,
        serving: ServingConfig,
        classifier: Classifier | None = None,
    ) -> None:
        super().__init__("ifcn")
        plain = network_proposer(network, config)
        proposer = plain if classifier is None else NamingProposer(plain, classifier)
        self.config, self._serving = proposer.config, serving
        self._categories = None if classifier is None else classifier.categories
        self._features = proposer.model.features
        # Not inlined into loop and condition: TensorFlow would fuse no convolutions there, and take 1.7 times as long.
        graph = tf.function(proposer.__call__, experimental_attributes={"_noinline": True})
        self._propose = graph.get_concrete_function(IMAGE)
        self._biases = list(self._propose.graph.variables)  # a SavedModel holds the variables that its module holds
        found = self._propose.structured_outputs
        self._found = {name: tf.TensorSpec(values.shape[1:], values.dtype) for name, values in found.items()}

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The graphs by the names under which a request asks for them."""
        encoded = tf.TensorSpec([None], tf.string, "image_bytes")
        pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, "image_tensor")
        graphs = {
            "serving_default": tf.function(self.propose_bytes, [encoded]),
            "image_tensor": tf.function(self.propose_pixels, [pixels]),
            "score_maps": tf.function(self.score_maps, [pixels]),
        }
        return {name: graph.get_concrete_function() for name, graph in graphs.items()}

    def max_pixels(self, signature: str) -> int:
        """The largest image that a signature takes [px]; of score maps, of all images of a request together.

        Score maps are made of images as they are, so none may be larger than what proposing resizes them to at most.
        """
        if signature != "score_maps":
            return self._serving.max_pixels
        return min(self._serving.max_pixels, self.config.most_pixels(self._serving.max_pixels))

    def propose_bytes(self, image_bytes: tf.Tensor) -> Tensors:
        """Encoded images, string [B], JPEG or PNG, each of its own size -> answers (see the class)."""
        return self._answers(image_bytes, lambda encoded: decode_upright(encoded, self._serving.max_pixels))

    def propose_pixels(self, image_tensor: tf.Tensor) -> Tensors:
        """Images of one size, uint8 [B, H, W, 3], RGB, upright -> answers (see the class)."""
        return self._answers(image_tensor, self._checked)

    def score_maps(self, image_tensor: tf.Tensor) -> Tensors:
        """The network's maps of images as they are, without resizing: uint8 [B, H, W, 3] -> `WindowModel.features`.

        The trunk's features, which only descriptors need, are left out. Of InstanceFCN:
        score_maps: float32 [B, h, w, k * k] logits; map bin_y * k + bin_x scores "this cell is that part of an object".
        objectness_logits: float32 [B, h, w], of the window centred at each cell.
        """
        pixels = tf.reduce_prod(tf.cast(tf.shape(image_tensor)[:3], tf.float64))
        limit = self.max_pixels("score_maps")
        sentence = f"score_maps takes 1 to {limit} pixels at once, of all images together: send fewer or smaller ones"
        images = provided((pixels > 0) & (pixels <= limit), sentence, not_empty(image_tensor))
        features = self._features(tf.cast(images, tf.float32))
        return {name: values for name, values in features.items() if name != TRUNK}

    def _answers(self, images: tf.Tensor, read: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]) -> Tensors:
        """One image after the other, since each fills all cores and memory then is that of one."""
        images = not_empty(images)
        answers = tf.map_fn(
            lambda numbered: self._answer(*read(numbered[1]), numbered[0]),
            (tf.range(1, tf.shape(images)[0] + 1), images),
            fn_output_signature=self._answer_spec(),
            parallel_iterations=1,
        )
        if self._categories is not None:
            answers |= self._named(answers, self._categories)
        if self._serving.full_masks:
            answers["full_masks_packed"] = pack_batch(answers, self.config.mask_threshold)
        if self._serving.masks == "probabilities":
            answers["mask_probabilities"] = tf.sigmoid(answers.pop("mask_logits"))
        return answers

    def _named(self, answers: Tensors, categories: Mapping[int, str]) -> Tensors:
        """What the classes are called: see the class."""
        ids, names = tf.constant([0, *categories], tf.int32), tf.constant([BACKGROUND, *categories.values()])
        places = tf.argmax(tf.equal(answers["category_ids"][..., None], ids), -1)
        batch = tf.shape(answers["category_ids"])[:1]
        labels = tf.where(places > 0, tf.gather(names, places), "")
        tables = {"class_names": names, "class_ids": ids}
        return {"labels": labels} | {name: tf.tile(row[None], [batch[0], 1]) for name, row in tables.items()}

    def _answer(self, image: tf.Tensor, reason: tf.Tensor, number: tf.Tensor) -> Tensors:
        size_hw = tf.shape(image)[:2]
        if self._serving.full_masks:
            reason = tf.where(tf.equal(reason, ""), refusal(size_hw, self.config.num_proposals), reason)
        usable = tf.equal(reason, "")
        sentence = tf.strings.join(["image ", tf.strings.as_string(number), " of the batch ", reason])
        proposals = tf.cond(usable, lambda: self._padded(self._propose(image)), self._no_proposals)
        return {
            **proposals,
            "image_hw": tf.where(usable, size_hw, 0),
            "mask_threshold": tf.constant(self.config.mask_threshold),
            "min_area": tf.constant(self.config.min_area),
            "error": tf.where(usable, "", sentence),
        }

    def _padded(self, found: Tensors) -> Tensors:
        count = tf.size(found["scores"])
        missing = self.config.num_proposals - count
        padded = {name: tf.pad(v, [[0, missing]] + [[0, 0]] * (v.shape.rank - 1)) for name, v in found.items()}
        shapes = {name: spec.shape for name, spec in self._answer_spec().items()}
        return {"num_proposals": count} | {name: tf.ensure_shape(v, shapes[name]) for name, v in padded.items()}

    def _no_proposals(self) -> Tensors:
        specs = self._answer_spec()
        return {name: tf.zeros(specs[name].shape, specs[name].dtype) for name in ("num_proposals", *self._found)}

    def _answer_spec(self) -> dict[str, tf.TensorSpec]:
        """Shapes and types of the answer to one image."""
        count = self.config.num_proposals
        return {
            "num_proposals": tf.TensorSpec([], tf.int32),
            **{name: tf.TensorSpec([count, *spec.shape], spec.dtype) for name, spec in self._found.items()},
            "image_hw": tf.TensorSpec([2], tf.int32),
            "mask_threshold": tf.TensorSpec([]),
            "min_area": tf.TensorSpec([]),
            "error": tf.TensorSpec([], tf.string),
        }

    def _checked(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A decoded image, and why it is refused, as `decode_upright` says it."""
        size = tf.shape(image, out_type=tf.int64)[:2]
        large = f"has more pixels than the limit of {self._serving.max_pixels}."
        reason = tf.where(tf.reduce_prod(size) > self._serving.max_pixels, large, "")
        return image, tf.where(tf.reduce_any(tf.equal(size, 0)), "is empty.", reason)


def not_empty(images: tf.Tensor) -> tf.Tensor:
    """The same images; everything that is computed of them waits for the check."""
    return provided(tf.shape(images)[0] > 0, "the batch is empty: send at least one image", images)
