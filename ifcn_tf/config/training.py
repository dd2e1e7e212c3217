"""Settings of training: what the network is shown, its loss and its updates; as in `network.py`."""

from __future__ import annotations

import bisect
import dataclasses
import math
from typing import Literal, get_args

from ifcn_tf.config.network import Precision
from ifcn_tf.config.proposing import SIX_SCALES
from ifcn_tf.config.settings import Settings, require, require_amount

Normalization = Literal["mean", "literal"]
OptimizerName = Literal["sgd", "adamw"]
Schedule = Literal["steps", "cosine"]
ObjectnessTarget = Literal["label", "iou"]


@dataclasses.dataclass(frozen=True)
class DataConfig(Settings):
    """How a photograph becomes a training example; lengths are in pixels of the resized image.

    The paper takes over DeepMask's definition of positive and negative windows (Pinheiro et al., 2015, section 3.3).
    """

    shorter_sides: tuple[int, ...] = SIX_SCALES
    """Shorter side of the image, one of these at random [px] [P]."""
    fitting_scales: float = 0.0
    """Share of examples whose scale is drawn among those at which an object has a positive window [0..1]; the paper
    draws among all."""
    scale_jitter: float = 1.0
    """The scale drawn is multiplied by a random factor up to this, or divided [ratio]."""
    longer_side_limit: int = 2700
    """No resized image is longer than this [px]; the proposer's limit."""
    cut_side: int = 0
    """Side of the square around an object that is shown of the resized image; 0 shows all of it [px]."""
    background_cuts: float = 0.0
    """Share of examples whose cut lies anywhere in the photograph, at a scale drawn among all, so that background of
    every scale is shown; none of photographs where partial_negatives of 0 would leave hardly a negative [0..1]."""
    copy_paste: float = 0.0
    """Share of examples on whose photograph lie objects of another one, scaled by a random factor [0..1]."""
    colour_jitter: float = 0.0
    """Brightness, contrast and saturation change by random factors up to 1 -+ this [0..1]."""
    flip_probability: float = 0.5
    """Share of examples that are mirrored left to right [0..1]."""
    object_side: float = 128.0
    """Longer side of the object that a window is made for [px]."""
    side_tolerance: float = 2**0.25
    """Positive: the object's longer side is object_side within this factor [ratio]."""
    centre_tolerance: float = 16.0
    """Positive: the centres of window and object differ by at most this on each axis [px]."""
    negative_side_factor: float = 2.0
    """Negative: the longer side of every object near differs from object_side by at least this factor [ratio]."""
    negative_distance: float = 32.0
    """Negative: every object of a similar size is farther than this on some axis [px]."""
    num_windows: int = 256
    """Windows sampled an image, half of them positive at most [count] [P]."""
    negatives_floor: int = 16
    """Negatives are as many as the positives, but this many where there are fewer positives [count]."""
    hard_negatives: float = 0.0
    """At least this share of the negatives is centred in an object's box, or up to negative_distance beside it: on
    parts, between neighbours, at the wrong scale. 0 draws among all alike, and finds them as often as they are
    [0..1]."""
    partial_negatives: float = 1.0
    """What a negative window counts where data are partially labelled and no labelled object is near: where the square
    of centre_tolerance to each side of its centre, in which the centre of an unlabelled object would make it positive,
    overlaps the box of none. 0 leaves such windows out [0..1]."""
    mask_coverage: float = 0.4
    """A cell belongs to the mask when the object covers at least this share of it [0..1]."""
    num_rois: int = 64
    """Of a method that is trained on regions so many are sampled an image [count] [P]."""
    foreground_rois: float = 0.3
    """At most this share of the regions holds an object: the IoU of their boxes is .5 or more [0..1] [P]."""
    crops_in_turn: int = 32
    """Of a method that is trained on crops so many train masks, then as many scores, and so on: as many as
    train.images_per_step, so that batches alternate [count]."""

    def __post_init__(self) -> None:
        require(
            bool(self.shorter_sides) and all(side >= 8 for side in self.shorter_sides),
            f"shorter_sides needs at least one scale, each of 8 px or more, not {self.shorter_sides}.",
        )
        require(self.longer_side_limit >= 8, f"longer_side_limit must be 8 px or more, not {self.longer_side_limit}.")
        shares = (
            "fitting_scales",
            "background_cuts",
            "copy_paste",
            "flip_probability",
            "hard_negatives",
            "foreground_rois",
        )
        for name in (*shares, "partial_negatives"):
            require(0 <= getattr(self, name) <= 1, f"{name} must lie in 0..1, not {getattr(self, name)}.")
        require(
            1 <= self.scale_jitter < math.inf, f"scale_jitter must be 1 or more and finite, not {self.scale_jitter}."
        )
        require(self.cut_side >= 0, f"cut_side must not be negative, not {self.cut_side}.")
        require(
            not self.background_cuts or self.cut_side > 0,
            f"background_cuts must be 0 without a cut_side, not {self.background_cuts}.",
        )
        require(0 <= self.colour_jitter < 1, f"colour_jitter must lie in 0..1, below 1, not {self.colour_jitter}.")
        require(self.object_side > 0, f"object_side must be positive, not {self.object_side}.")
        require(
            1 <= self.side_tolerance <= self.negative_side_factor,
            f"side_tolerance must be in 1..negative_side_factor, not {self.side_tolerance}.",
        )
        require(
            0 <= self.centre_tolerance <= self.negative_distance,
            f"centre_tolerance must be in 0..negative_distance, not {self.centre_tolerance}.",
        )
        require(self.num_windows >= 2, f"num_windows must be 2 or more, not {self.num_windows}.")
        require(self.num_rois > 0, f"num_rois must be positive, not {self.num_rois}.")
        require(self.negatives_floor >= 0, f"negatives_floor must not be negative, not {self.negatives_floor}.")
        require(0 < self.mask_coverage <= 1, f"mask_coverage must lie in 0..1, above 0, not {self.mask_coverage}.")
        require(self.crops_in_turn > 0, f"crops_in_turn must be positive, not {self.crops_in_turn}.")


@dataclasses.dataclass(frozen=True)
class LossConfig(Settings):
    """The loss of equation (1) (section 3.2) and what the paper leaves open about it."""

    mask_weight: float = 2.0
    """Weight of the mask term; equation (1) as written has 1."""
    objectness_weight: float = 1.0
    """Weight of the objectness term; DeepMask's is 1/32."""
    normalization: Normalization = "mean"
    """`mean`: each term is the mean over what it sums, windows or pixels. `literal`: both sums of equation (1) are
    divided by the number of sampled windows, so that the mask term counts a window's pixels one by one."""
    objectness_target: ObjectnessTarget = "label"
    """What the objectness of a positive window is trained toward; that of a negative one is 0. `label`: 1 [P]. `iou`:
    the IoU of the mask that the network assembles there, at probability .5, with the target mask."""

    def __post_init__(self) -> None:
        for name in ("mask_weight", "objectness_weight"):
            require_amount(name, getattr(self, name))
        require(
            self.normalization in get_args(Normalization),
            f"normalization must be one of {', '.join(get_args(Normalization))}, not {self.normalization}.",
        )
        require(
            self.objectness_target in get_args(ObjectnessTarget),
            f"objectness_target must be one of {', '.join(get_args(ObjectnessTarget))}, not {self.objectness_target}.",
        )


@dataclasses.dataclass(frozen=True)
class TrainConfig(Settings):
    """How the network is trained (section 3.3, "Training") and how often the run is looked at."""

    steps: int = 40_000
    """Updates of the weights [count] [P]."""
    images_per_step: int = 8
    """Images whose gradients are averaged for one update, on however many replicas [count] [P]."""
    learning_rates: tuple[float, ...] = (0.001, 0.0001)
    """Learning rate of each stretch of the run [P]; of `cosine` the first and the last count."""
    boundaries: tuple[int, ...] = (32_000,)
    """Steps at which the next learning rate begins: step 32,000, counted from 0, is the first of the second [P]."""
    schedule: Schedule = "steps"
    """`steps`: the learning rate changes at the boundaries [P]. `cosine`: it falls from the first to the last along
    half a cosine, from the end of the warm-up to the end of the run, whatever the boundaries."""
    warm_up: int = 0
    """Over the first so many steps the learning rate rises linearly from 0: step n, counted from 1, takes
    n / warm_up of it [count]."""
    trunk_rate: float = 1.0
    """The groups of the trunk's layers, which ImageNet's weights are of, learn at this times the learning rate; layers
    that begin at random learn at the whole rate [ratio]."""
    optimizer: OptimizerName = "sgd"
    """`sgd`: momentum with coupled weight decay, as in Caffe [P]. `adamw`: Adam with decoupled weight decay."""
    momentum: float = 0.9
    """Share of the last update, of `adamw` of the last mean gradient, that goes on [0..1] [P]."""
    weight_decay: float = 0.0005
    """Of kernels. `sgd`: this times the kernel is added to its gradient, and so enters the momentum [P]. `adamw`: this
    times the learning rate is the share of the kernel that each update takes away; 0.05 is usual."""
    ema: float = 0.0
    """Share of the weights' moving average that an update leaves of it, such as 0.999; the average is then measured,
    drawn and written in place of the weights. 0: there is none [0..1]."""
    frozen_blocks: int = 2
    """The first so many groups of the trunk's layers keep their weights, of VGG-16 its five blocks [count]."""
    precision: Precision = "auto"
    """Arithmetic of the convolutions; losses, weights and updates are float32 in any case."""
    seed: int = 0
    """Seed of everything random in the run [0..2^63 - 1]."""
    log_every: int = 20
    """Steps between two entries of the scalars [count]; each is the mean since the last."""
    checkpoint_every: int = 500
    """Steps between two checkpoints [count]."""
    keep_checkpoints: int = 3
    """The last so many checkpoints are kept [count]."""
    validate_every: int = 2000
    """Steps between two measurements of AR on the validation data [count]."""
    validation_images: int = 100
    """The first so many validation images are measured [count]."""
    pictures_every: int = 1000
    """Steps between two pictures [count]."""

    def __post_init__(self) -> None:
        positive = ("images_per_step", "log_every", "checkpoint_every", "keep_checkpoints", "validate_every")
        for name in (*positive, "validation_images", "pictures_every"):
            require(getattr(self, name) > 0, f"{name} must be positive, not {getattr(self, name)}.")
        require(self.steps >= 0, f"steps must not be negative, not {self.steps}.")
        self._require_schedule()
        require(0 <= self.momentum < 1, f"momentum must lie in 0..1, below 1, not {self.momentum}.")
        for rate in self.learning_rates:
            require_amount("learning_rates", rate)
        require(0 <= self.ema < 1, f"ema must lie in 0..1, below 1, not {self.ema}.")
        require_amount("trunk_rate", self.trunk_rate)
        require_amount("weight_decay", self.weight_decay)
        require(
            self.optimizer in get_args(OptimizerName),
            f"optimizer must be one of {', '.join(get_args(OptimizerName))}, not {self.optimizer}.",
        )
        require(
            self.precision in get_args(Precision),
            f"precision must be one of {', '.join(get_args(Precision))}, not {self.precision}.",
        )
        require(0 <= self.seed < 2**63, f"seed must lie in 0..2^63 - 1, not {self.seed}.")
        require(self.frozen_blocks >= 0, f"frozen_blocks must not be negative, not {self.frozen_blocks}.")

    def _require_schedule(self) -> None:
        rates, boundaries = self.learning_rates, self.boundaries
        require(
            self.schedule in get_args(Schedule),
            f"schedule must be one of {', '.join(get_args(Schedule))}, not {self.schedule}.",
        )
        require(
            self.schedule == "cosine" or (len(rates) == len(boundaries) + 1 and list(boundaries) == sorted(boundaries)),
            f"learning_rates needs one more number than the rising boundaries, not {rates} for {boundaries}.",
        )
        require(len(rates) > 1 or self.schedule == "steps", f"learning_rates needs a first and a last, not {rates}.")
        require(self.warm_up >= 0, f"warm_up must not be negative, not {self.warm_up}.")

    def learning_rate(self, step: int) -> float:
        """Learning rate of the update number `step`, counted from 0."""
        return self._scheduled_rate(step) * (min(1, (step + 1) / self.warm_up) if self.warm_up else 1)

    def _scheduled_rate(self, step: int) -> float:
        if self.schedule == "steps":
            return self.learning_rates[bisect.bisect_right(self.boundaries, step)]
        first, last = self.learning_rates[0], self.learning_rates[-1]
        done = max(0, step - self.warm_up) / max(1, self.steps - self.warm_up)
        return last + (first - last) * (1 + math.cos(math.pi * done)) / 2
