"""The tables of the papers as data: which rows they have, how each row is made, and what was published of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ifcn_tf.common.files import UserError
from ifcn_tf.config.presets import PRESETS, RunConfig, with_settings
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.evaluation.protocols import PUBLISHED, Published

#: What the trainings on a trunk start from: the preset that was made for it.
BASES = {"efficientnet_lite2": PRESETS["light"], "vgg16": PRESETS["quick"]}
#: What all trainings have in common: cuts around objects, and one rate that falls over the whole run, however long.
_ALIKE = ("data.background_cuts=0", "train.schedule=cosine", "train.checkpoint_every=250")


@dataclasses.dataclass(frozen=True)
class Training:
    """A network that is trained.

    Attributes:
        name: of its folder.
        settings: in which it differs from the others, "section.field=value" each as `with_settings` takes them.
        adamw_share: of the others' learning rates, where AdamW trains.
    """

    name: str
    settings: tuple[str, ...] = ()
    adamw_share: float = 1.0

    def config(self, base: RunConfig, budget: int) -> RunConfig:
        """The settings of the run.

        Args:
            base: what all trainings start from; they keep its trunk, and propose as the paper does.
            budget: images that the network sees [count]; what is left of it after the last whole step is not used.

        Raises:
            UserError: the budget is less than a step.
        """
        images = base.train.images_per_step
        if budget < images:
            raise UserError(f"a budget of {budget} images is less than a step: give {images} or more.")
        share = self.adamw_share if base.train.optimizer == "adamw" else 1.0
        rates = [share * rate for rate in base.train.learning_rates]
        fixed = (
            f"model.trunk={base.model.trunk}",
            f"train.steps={budget // images}",
            f"train.learning_rates={rates}",
            *_ALIKE,
        )
        config = with_settings(dataclasses.replace(base, proposer=ProposerConfig()), [*self.settings, *fixed])
        if config.model.example != "crop":
            return config
        return with_settings(config, [f"data.crops_in_turn={images}"])  # batches of masks and of scores in turn


@dataclasses.dataclass(frozen=True)
class Row:
    """A method of a table. What has neither a training nor a method comes from the program of others, in a file.

    Attributes:
        name: of its folders, and on the command line.
        title: as the table shows it.
        training: of the network whose weights propose.
        proposer: how they propose.
        method: name of a method without a network that runs here.
        published: what papers state of it, by data set, a key of PUBLISHED.
    """

    name: str
    title: str
    training: Training | None = None
    proposer: ProposerConfig = dataclasses.field(default_factory=ProposerConfig)
    method: str | None = None
    published: Mapping[str, Published] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
        title: what it compares.
        data_set: on which the paper measured, a key of PUBLISHED.
        measured_on: its images in words.
        rows: in the paper's order.
        reference: with which all others are compared.
        beside: what the reference stands beside in pictures of found and missed objects.
    """

    title: str
    data_set: str
    measured_on: str
    rows: tuple[Row, ...]
    reference: Row
    beside: Row

    def row(self, name: str) -> Row:
        """The row of a name; raises UserError when there is none."""
        found = {row.name: row for row in self.rows}
        if name not in found:
            raise UserError(f"the table has no row {name}: its rows are {', '.join(found)}.")
        return found[name]

    def published(self) -> list[Published]:
        """What was published of its rows."""
        return [row.published[self.data_set] for row in self.rows if self.data_set in row.published]


def _stated(method: str, *data_sets: str) -> dict[str, Published]:
    return {name: row for name in data_sets for row in PUBLISHED[name] if row.method == method}


_K5 = Training("k5")
#: Its losses are those of the preset of that name. AdamW moves every weight by about the rate, and DeepMask adds up
#: 100,352 of them: at the others' rates it gave one answer for all photographs, after 200 steps.
_DEEPMASK = Training(
    "deepmask",
    ("model.method=deepmask", "loss.mask_weight=1.0", f"loss.objectness_weight={1 / 32}"),
    adamw_share=0.1,
)
#: DeepMask's own way to propose on COCO, and its scale more.
_ITS_SCALES = PRESETS["deepmask"].proposer
_ZOOM = dataclasses.replace(_ITS_SCALES, scale_factors=(*_ITS_SCALES.scale_factors, 2 * 2**0.5))

K3 = Row("k3", "InstanceFCN, k = 3", Training("k3", ("model.k=3",)), published={
    "voc": Published("InstanceFCN, k = 3", (38.3, 49.2, 52.1)),
})  # fmt: skip
K5 = Row("k5", "InstanceFCN, k = 5", _K5, published=_stated("InstanceFCN", "voc"))
K7 = Row("k7", "InstanceFCN, k = 7", Training("k7", ("model.k=7",)), published={
    "voc": Published("InstanceFCN, k = 7", (38.8, 49.7, 52.7)),
})  # fmt: skip
CROPS = Row("crops", "InstanceFCN, cuts of 224 px", Training("crops", ("data.cut_side=224",)), published={
    "voc": Published("InstanceFCN, crops of 224 px", (37.4, 48.4, 51.4)),
})  # fmt: skip
#: On COCO the paper proposes at DeepMask's scales.
K5_ITS_SCALES = Row(
    "k5_deepmask_scales",
    "InstanceFCN, k = 5, at DeepMask's scales",
    _K5,
    ProposerConfig(scale_factors=_ITS_SCALES.scale_factors),
    published=_stated("InstanceFCN", "coco"),
)
LIKE_DEEPMASK = Row("deepmask_like", "~DeepMask", _DEEPMASK, published=_stated("~DeepMask", "voc"))
DEEPMASK = Row("deepmask", "DeepMask", _DEEPMASK, _ITS_SCALES, published=_stated("DeepMask", "coco"))
ZOOM = Row("deepmask_zoom", "DeepMaskZoom", _DEEPMASK, _ZOOM, published=_stated("DeepMaskZoom", "coco"))
SELECTIVE_SEARCH = Row(
    "selective_search",
    "Selective Search",
    method="selective_search",
    published=_stated("Selective Search", "voc", "coco"),
)
MCG = Row("mcg", "MCG", published=_stated("MCG", "voc", "coco"))
MNC = Row("mnc", "MNC", published=_stated("MNC", "voc"))
GOP = Row("gop", "GOP", published=_stated("GOP", "coco"))
RIGOR = Row("rigor", "RIGOR", published=_stated("RIGOR", "coco"))

_VOC, _COCO = ("voc", "PASCAL VOC 2012 val with SBD's masks"), ("coco", "the first 5,000 images of COCO val2014")
#: By number in the paper (Dai et al., ECCV 2016).
TABLES = {
    "1": Table("The number of relative positions", *_VOC, (K3, K5, K7), K5, K3),
    "2": Table("InstanceFCN and ~DeepMask", *_VOC, (LIKE_DEEPMASK, CROPS, K5), K5, LIKE_DEEPMASK),
    "3": Table("Segment proposals on VOC", *_VOC, (SELECTIVE_SEARCH, MCG, LIKE_DEEPMASK, MNC, K5), K5, LIKE_DEEPMASK),
    "5": Table(
        "Segment proposals on COCO",
        *_COCO,
        (GOP, RIGOR, SELECTIVE_SEARCH, MCG, DEEPMASK, ZOOM, K5_ITS_SCALES, K5),
        K5,
        DEEPMASK,
    ),
}
