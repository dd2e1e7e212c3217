"""The settings of a whole training run: named presets, and changes to them from the command line."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from ifcn_tf.common.files import UserError
from ifcn_tf.config.classifying import ClassifyingConfig
from ifcn_tf.config.files import read_sections
from ifcn_tf.config.network import (
    DeepMaskConfig,
    FCNConfig,
    InstanceFCNConfig,
    MaskClassifierConfig,
    NetworkConfig,
    network_config,
)
from ifcn_tf.config.proposing import DEEPMASK_FACTORS, SIX_SCALES, ProposerConfig
from ifcn_tf.config.segmenting import SegmenterConfig
from ifcn_tf.config.settings import require
from ifcn_tf.config.training import DataConfig, LossConfig, TrainConfig

#: What makes each section of its plain JSON types.
_SECTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "model": network_config,
    "data": DataConfig.from_dict,
    "loss": LossConfig.from_dict,
    "train": TrainConfig.from_dict,
    "proposer": ProposerConfig.from_dict,
    "segmenter": SegmenterConfig.from_dict,
    "classifier": ClassifyingConfig.from_dict,
}
#: What a run's `config.json` says besides: what it reads, and what it was.
_PLACES, _RECORDS = "places", ("devices", "versions", "commit", "weights", "score_head", "refiner", "focus")
#: The setting that says whose the other settings of the network are.
_METHOD = "model.method"


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that determines a training run, next to its data and its first weights.

    How to propose, or of methods that name classes how to segment or to classify, does not change the weights, but says
    which of them are the best, and is kept beside them.
    """

    model: NetworkConfig = dataclasses.field(default_factory=InstanceFCNConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    proposer: ProposerConfig = dataclasses.field(default_factory=ProposerConfig)
    segmenter: SegmenterConfig = dataclasses.field(default_factory=SegmenterConfig)
    classifier: ClassifyingConfig = dataclasses.field(default_factory=ClassifyingConfig)

    def __post_init__(self) -> None:
        with _named("data"):
            self.model.require_cut(self.data.cut_side)
        with _named("proposer"):
            self.model.require_fitting(self.proposer)

    def to_dict(self) -> dict[str, Any]:
        """Returns the sections as plain JSON types."""
        return {name: getattr(self, name).to_dict() for name in _SECTIONS}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Builds the configuration from `to_dict`'s output; raises UserError on a name that is no setting."""
        return cls(**{name: _section(name, values[name]) for name in _SECTIONS if name in values})


def _section(name: str, values: dict[str, Any]) -> Any:
    with _named(name):
        return _SECTIONS[name](values)


@contextlib.contextmanager
def _named(section: str) -> Iterator[None]:
    """Puts the section's name before errors, which begin with the field."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{section}.{error}") from error


_SEVEN_SCALES = (*SIX_SCALES, 1350)
#: What few photographs are trained on: cuts around objects at jittered scales, few of them without positive windows,
#: jittered colours, and a scale more for small objects.
_CUTS = DataConfig(
    shorter_sides=_SEVEN_SCALES,
    fitting_scales=0.85,
    scale_jitter=1.2,
    cut_side=384,
    colour_jitter=0.3,
    side_tolerance=1.5**0.5,
    negatives_floor=64,
)
#: How networks on a light trunk are trained.
_ADAMW = TrainConfig(
    steps=4800,
    images_per_step=4,
    learning_rates=(0.001, 0.001 / 3, 0.001 / 9),
    boundaries=(3000, 4200),
    warm_up=100,
    trunk_rate=0.2,
    frozen_blocks=3,
    optimizer="adamw",
    weight_decay=0.05,
    ema=0.999,
    validate_every=600,
)
#: Proposes with blended seams, and ranks masks by their confidence and behind better ones that they overlap.
_RANKED = ProposerConfig(blend_cells=1, nms_iou=0.85, confidence_weight=2.0, overlap_penalty=5.0)

#: DeepMask as published (Pinheiro et al., 2015, sections 3.2 to 3.4): batches of 32 crops, which train masks and scores
#: in turn. Masks are binary from a threshold on that suits COCO, and nothing is suppressed. The paper does not say how
#: long it was trained.
_DEEPMASK = RunConfig(
    model=DeepMaskConfig(trunk="vgg_a"),
    loss=LossConfig(mask_weight=1.0, objectness_weight=1 / 32),
    train=TrainConfig(
        images_per_step=32, learning_rates=(0.001,), boundaries=(), weight_decay=0.00005, frozen_blocks=0
    ),
    proposer=ProposerConfig(scale_factors=DEEPMASK_FACTORS, mask_threshold=0.2, nms_iou=1.0),
)

#: FCN on the light trunk, where fc6 and fc7 begin at random and are narrow: photographs of VOC's size, or most of each,
#: at scales around their own.
_FCN = RunConfig(
    model=FCNConfig(trunk="efficientnet_lite2", fc_cells=3, fc_channels=256),
    data=DataConfig(shorter_sides=(375,), scale_jitter=1.5, cut_side=384, colour_jitter=0.3),
    train=dataclasses.replace(_ADAMW, learning_rates=(0.001, 0.00001), boundaries=(), schedule="cosine"),
    segmenter=SegmenterConfig(shorter_side=375),
)

#: The mask classifier on the light trunk, where all fully connected layers begin at random and are narrow. They add up
#: 6,272 values each, so that at AdamW's usual rate, .001, they soon answer the same for every region. Masks vote as
#: it is best for the bundled proposer, whose own threshold is .35.
_CLASSIFIER = RunConfig(
    model=MaskClassifierConfig(trunk="efficientnet_lite2", fusion_channels=128, fc_channels=512),
    data=DataConfig(shorter_sides=(400,), scale_jitter=1.3, longer_side_limit=1000, colour_jitter=0.3),
    train=dataclasses.replace(
        _ADAMW,
        steps=1800,
        learning_rates=(0.0001, 0.00001),
        boundaries=(),
        schedule="cosine",
        trunk_rate=1.0,
        ema=0.995,
    ),
    classifier=ClassifyingConfig(shorter_side=400, voting_iou=0.7, voting_threshold=0.3),
)

#: `paper` is section 3.3, "Training", wherever that states something; `deepmask` the method that it compares with,
#: `fcn` the one that names the class of each pixel, `classifier` the one that names proposals.
#: `quick` makes a usable network of a few hundred photographs in about two hours on two cores: two cuts a step, at a
#: learning rate to match. `light` is for 200 photographs and a laptop: a small trunk, which learns more slowly than the
#: layers on it, four cuts a step and AdamW, and weights averaged over the last thousand steps or so.
PRESETS = {
    "paper": RunConfig(),
    "deepmask": _DEEPMASK,
    "fcn": _FCN,
    "classifier": _CLASSIFIER,
    "quick": RunConfig(
        data=_CUTS,
        train=TrainConfig(
            steps=10_000,
            images_per_step=2,
            learning_rates=(0.0005, 0.0001, 0.00002),
            boundaries=(7500, 9500),
            validate_every=1000,
        ),
        proposer=_RANKED,
    ),
    "light": RunConfig(
        model=InstanceFCNConfig(trunk="efficientnet_lite2", branch_channels=256),
        data=dataclasses.replace(_CUTS, partial_negatives=0.0, background_cuts=0.3),
        train=_ADAMW,
        proposer=dataclasses.replace(
            _RANKED, shorter_sides=_SEVEN_SCALES, mask_threshold=0.35, edge_samples=2, num_refined=300, pre_nms=6000
        ),
    ),
}


def read_run(path: Path) -> tuple[RunConfig, dict[str, Any]]:
    """The settings and the places in a file: a run's `config.json`, or what `--print_config` prints; JSON or YAML.

    What the file leaves out has its default. Whether the places exist is not looked at.

    Raises:
        UserError: no such file, no file of such sections, or a wrong setting in one; names the file.
    """
    values = read_sections(path, [*_SECTIONS, _PLACES, *_RECORDS])
    for name in (name for name in (*_SECTIONS, _PLACES) if name in values):
        require(isinstance(values[name], dict), f"{path}: {name} is no section of settings.")
    places = values.get(_PLACES, {})
    data, shares, more = (places.get(name) or [] for name in ("data", "data_shares", "validation_data"))
    require(
        all(isinstance(part, list) for part in (data, shares, more)) and len(shares) in (0, len(data)),
        f"{path}: data and validation_data in places are lists of folders, data_shares has a number for each of data.",
    )
    try:
        return RunConfig.from_dict(values), places
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def with_settings(config: RunConfig, settings: Sequence[str]) -> RunConfig:
    """Changes single fields of a configuration.

    Args:
        config: where to start from.
        settings: "section.field=value" each, the value in JSON or as plain text: "train.steps=100".

    Raises:
        UserError: a setting of another form, an unknown key (the nearest one is named) or a value of the wrong type.
    """
    values, changes = config.to_dict(), dict(_key_value(setting) for setting in settings)
    if _METHOD in changes:
        values["model"] = _section("model", {"method": _parse(changes[_METHOD])}).to_dict()
    for key, text in changes.items():
        section, field = _find(key, values)
        values[section][field] = _parse(text)
    return RunConfig.from_dict(values)


def _key_value(setting: str) -> tuple[str, str]:
    key, equals, text = setting.partition("=")
    if not equals:
        raise UserError(f"--set {setting}: write KEY=VALUE, for example train.steps=100.")
    return key, text


def _find(key: str, values: dict[str, dict[str, Any]]) -> tuple[str, str]:
    keys = [f"{section}.{field}" for section, fields in values.items() for field in fields]
    if key not in keys:
        by_field = {name.partition(".")[2]: name for name in reversed(keys)}  # of equal names the first section's
        nearest = difflib.get_close_matches(key, keys, 1) or [
            by_field[name] for name in difflib.get_close_matches(key.rpartition(".")[2], by_field, 1)
        ]
        hint = f"the nearest is {nearest[0]}, and " if nearest else ""
        raise UserError(f"--set {key}: there is no such setting; {hint}--print_config lists all.")
    section, _, field = key.partition(".")
    return section, field


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
