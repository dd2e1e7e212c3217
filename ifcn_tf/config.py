"""Settings as frozen dataclasses: every field with its unit, checked on creation, to and from JSON.

A configuration is passed as an argument and never kept as a global. Values marked [P] are the paper's
(Dai et al., Instance-sensitive Fully Convolutional Networks, ECCV 2016); the others are this project's choice.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from typing import Any, Literal, Self, get_args

from ifcn_tf.files import UserError

Precision = Literal["auto", "float32", "bfloat16"]
Normalization = Literal["mean", "literal"]

#: Shorter sides of the image pyramid in pixels, 600 * 1.5^{-4, -3, -2, -1, 0, 1} [P].
SIX_SCALES = (119, 178, 267, 400, 600, 900)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)


def _require_amount(name: str, value: float) -> None:
    _require(0 <= value < math.inf, f"{name} must be 0 or more and finite, not {value}.")


_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", tuple: "a list"}


def _typed(name: str, value: Any, default: Any) -> Any:
    """A value of the type that a setting's default has; raises UserError on another type."""
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(_typed(name, item, default[0]) for item in value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    _require(type(value) is type(default), f"{name} must be {_TYPE_NAMES[type(default)]}, not {value!r}.")
    return value


class _Json:
    """JSON round trip for the dataclasses below."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as plain JSON types."""
        fields = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Builds the configuration from `to_dict`'s output; raises UserError on an unknown name or a wrong type."""
        defaults = {field.name: field.default for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(defaults))
        _require(
            not unknown,
            f"{', '.join(unknown)}: {cls.__name__} has no such setting; it has {', '.join(sorted(defaults))}.",
        )
        return cls(**{name: _typed(name, value, defaults[name]) for name, value in values.items()})


@dataclasses.dataclass(frozen=True)
class ModelConfig(_Json):
    """Architecture of the network; together with the weights it determines every output."""

    k: int = 5
    """Relative positions a side, so k * k score maps [count] [P]: 3, 5 or 7."""
    window_cells: int = 21
    """Side of the sliding window and of its mask, the paper's m [cells of 8 px] [P]."""
    trunk_channels: tuple[int, ...] = (64, 128, 256, 512, 512)
    """Output channels of the five VGG-16 blocks [count]; only these defaults fit the ImageNet weights."""
    branch_channels: int = 512
    """Channels of the hidden layer of each branch [count] [P]."""

    def __post_init__(self) -> None:
        _require(self.k in (3, 5, 7), f"k must be 3, 5 or 7, not {self.k}.")
        _require(
            self.window_cells > 0 and self.window_cells % 2 == 1,
            f"window_cells must be odd and positive, not {self.window_cells}.",
        )
        _require(
            len(self.trunk_channels) == 5 and min(self.trunk_channels) > 0,
            f"trunk_channels needs five positive numbers, not {self.trunk_channels}.",
        )
        _require(self.branch_channels > 0, f"branch_channels must be positive, not {self.branch_channels}.")


@dataclasses.dataclass(frozen=True)
class ProposerConfig(_Json):
    """Settings of the step from an image to its proposals (section 3.3, "Inference")."""

    shorter_sides: tuple[int, ...] = SIX_SCALES
    """Shorter side of the image at each scale of the pyramid [px] [P]."""
    longer_side_limit: int = 2700
    """No resized image is longer than this [px]; keeps panoramas (over 3 : 1 at 900 px) within memory."""
    mask_threshold: float = 0.4
    """A cell or pixel belongs to the mask from this probability on [0..1]."""
    nms_iou: float = 0.8
    """Of two proposals whose boxes overlap by more than this IoU the better one stays [0..1] [P]."""
    num_proposals: int = 1000
    """Proposals kept an image, the paper's N [count] [P]."""
    pre_nms: int = 12000
    """Windows of highest objectness, over all scales, that enter non-maximum suppression [count]."""
    min_area: float = 0.0
    """Masks of a smaller area are dropped [px^2 of the original image]; empty masks always are."""

    def __post_init__(self) -> None:
        _require(
            bool(self.shorter_sides) and all(side >= 8 for side in self.shorter_sides),
            f"shorter_sides needs at least one scale, each of 8 px or more, not {self.shorter_sides}.",
        )
        _require(0 < self.mask_threshold < 1, f"mask_threshold must lie between 0 and 1, not {self.mask_threshold}.")
        _require(0 <= self.nms_iou <= 1, f"nms_iou must lie in 0..1, not {self.nms_iou}.")
        for name in ("num_proposals", "pre_nms"):
            count = getattr(self, name)
            _require(0 < count <= 10**6, f"{name} must lie in 1..1000000, not {count}.")
        _require(self.longer_side_limit >= 8, f"longer_side_limit must be 8 px or more, not {self.longer_side_limit}.")
        _require(self.min_area >= 0, f"min_area must not be negative, not {self.min_area}.")


@dataclasses.dataclass(frozen=True)
class ShownConfig(_Json):
    """Which proposals of an image pictures and annotation formats show: the best ones that hardly overlap."""

    count: int = 20
    """At most so many [count]."""
    min_score: float = 0.5
    """Only of this objectness or more [0..1]."""
    max_overlap: float = 0.2
    """Two of them share at most this part of the smaller one [0..1]."""

    def __post_init__(self) -> None:
        _require(self.count > 0, f"count must be positive, not {self.count}.")


@dataclasses.dataclass(frozen=True)
class DataConfig(_Json):
    """How a photograph becomes a training example; lengths are in pixels of the resized image.

    The paper takes over DeepMask's definition of positive and negative windows (Pinheiro et al., 2015, section 3.3).
    """

    shorter_sides: tuple[int, ...] = SIX_SCALES
    """Shorter side of the image, one of these at random [px] [P]."""
    fitting_scales: float = 0.0
    """Share of examples whose scale is drawn among those at which an object has a positive window [0..1]; the paper
    draws among all."""
    longer_side_limit: int = 2700
    """No resized image is longer than this [px]; the proposer's limit."""
    flip_probability: float = 0.5
    """Share of examples that are mirrored left to right [0..1]."""
    window_cells: int = 21
    """Side of the sliding window and of its mask [cells of 8 px] [P]."""
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
    mask_coverage: float = 0.4
    """A cell belongs to the mask when the object covers at least this share of it [0..1]."""

    def __post_init__(self) -> None:
        _require(
            bool(self.shorter_sides) and all(side >= 8 for side in self.shorter_sides),
            f"shorter_sides needs at least one scale, each of 8 px or more, not {self.shorter_sides}.",
        )
        _require(self.longer_side_limit >= 8, f"longer_side_limit must be 8 px or more, not {self.longer_side_limit}.")
        _require(0 <= self.fitting_scales <= 1, f"fitting_scales must lie in 0..1, not {self.fitting_scales}.")
        _require(0 <= self.flip_probability <= 1, f"flip_probability must lie in 0..1, not {self.flip_probability}.")
        _require(self.window_cells % 2 == 1, f"window_cells must be odd, not {self.window_cells}.")
        _require(self.object_side > 0, f"object_side must be positive, not {self.object_side}.")
        _require(
            1 <= self.side_tolerance <= self.negative_side_factor,
            f"side_tolerance must be in 1..negative_side_factor, not {self.side_tolerance}.",
        )
        _require(
            0 <= self.centre_tolerance <= self.negative_distance,
            f"centre_tolerance must be in 0..negative_distance, not {self.centre_tolerance}.",
        )
        _require(self.num_windows >= 2, f"num_windows must be 2 or more, not {self.num_windows}.")
        _require(self.negatives_floor >= 0, f"negatives_floor must not be negative, not {self.negatives_floor}.")
        _require(0 < self.mask_coverage <= 1, f"mask_coverage must lie in 0..1, above 0, not {self.mask_coverage}.")


@dataclasses.dataclass(frozen=True)
class LossConfig(_Json):
    """The loss of equation (1) (section 3.2) and what the paper leaves open about it."""

    mask_weight: float = 2.0
    """Weight of the mask term against the objectness term; equation (1) as written has 1."""
    normalization: Normalization = "mean"
    """`mean`: each term is the mean over what it sums, windows or pixels. `literal`: both sums of equation (1) are
    divided by the number of sampled windows, so that the mask term counts a window's pixels one by one."""

    def __post_init__(self) -> None:
        _require_amount("mask_weight", self.mask_weight)
        _require(
            self.normalization in get_args(Normalization),
            f"normalization must be one of {', '.join(get_args(Normalization))}, not {self.normalization}.",
        )


@dataclasses.dataclass(frozen=True)
class TrainConfig(_Json):
    """How the network is trained (section 3.3, "Training") and how often the run is looked at."""

    steps: int = 40_000
    """Updates of the weights [count] [P]."""
    images_per_step: int = 8
    """Images whose gradients are averaged for one update, on however many replicas [count] [P]."""
    learning_rates: tuple[float, ...] = (0.001, 0.0001)
    """Learning rate of each stretch of the run [P]."""
    boundaries: tuple[int, ...] = (32_000,)
    """Steps at which the next learning rate begins: step 32,000, counted from 0, is the first of the second [P]."""
    momentum: float = 0.9
    """Share of the last update that goes on [0..1] [P]."""
    weight_decay: float = 0.0005
    """Coupled L2 on kernels: this times the kernel is added to its gradient, and so enters the momentum [P]."""
    frozen_blocks: int = 2
    """The first so many of the trunk's five blocks keep their weights [count]."""
    precision: Precision = "auto"
    """Arithmetic of the convolutions; losses, weights and updates are float32 in any case."""
    seed: int = 0
    """Seed of everything random in the run."""
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
            _require(getattr(self, name) > 0, f"{name} must be positive, not {getattr(self, name)}.")
        _require(self.steps >= 0, f"steps must not be negative, not {self.steps}.")
        _require(
            len(self.learning_rates) == len(self.boundaries) + 1 and list(self.boundaries) == sorted(self.boundaries),
            f"learning_rates needs one more number than the rising boundaries, not {self.learning_rates} for "
            f"{self.boundaries}.",
        )
        _require(0 <= self.momentum < 1, f"momentum must lie in 0..1, below 1, not {self.momentum}.")
        for rate in self.learning_rates:
            _require_amount("learning_rates", rate)
        _require_amount("weight_decay", self.weight_decay)
        _require(
            self.precision in get_args(Precision),
            f"precision must be one of {', '.join(get_args(Precision))}, not {self.precision}.",
        )
        _require(0 <= self.frozen_blocks <= 5, f"frozen_blocks must lie in 0..5, not {self.frozen_blocks}.")

    def learning_rate(self, step: int) -> float:
        """Learning rate of the update number `step`, counted from 0."""
        return self.learning_rates[bisect.bisect_right(self.boundaries, step)]


@dataclasses.dataclass(frozen=True)
class EvaluationConfig(_Json):
    """Settings of the evaluation of proposals."""

    num_proposals: tuple[int, ...] = (10, 100, 1000)
    """Proposals an image at which recall is measured, the papers' N [count] [P]."""
    resamples: int = 1000
    """Resamples of the bootstrap over images [count]."""
    confidence: float = 0.95
    """Part of the resamples that an interval holds [0..1]."""
    seed: int = 0
    """Of the bootstrap."""

    def __post_init__(self) -> None:
        _require(
            bool(self.num_proposals) and all(limit > 0 for limit in self.num_proposals),
            f"num_proposals needs at least one number, each positive, not {self.num_proposals}.",
        )
        _require(
            list(self.num_proposals) == sorted(set(self.num_proposals)),
            f"num_proposals must rise, not {self.num_proposals}.",
        )
        _require(self.resamples > 0, f"resamples must be positive, not {self.resamples}.")
        _require(0 < self.confidence < 1, f"confidence must lie between 0 and 1, not {self.confidence}.")
