"""The image lists of the papers, told by how many images they have, and the numbers that were published on them."""

from __future__ import annotations

import dataclasses

from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.files import UserError


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Which images a paper evaluates on.

    Attributes:
        truth: what to give, for messages.
        available: number of images that the truth must have.
        first: how many of them, by sorted id, are evaluated.
    """

    truth: str
    available: int
    first: int


PROTOCOLS = {
    "coco_first5k": Protocol("annotations/instances_val2014.json of COCO", 40_504, 5_000),
    "voc_sbd_val": Protocol("SBD with the 'val' list of SDS (--split=FILE.txt)", 5_732, 5_732),
    "voc12_val": Protocol("VOC2012 with --split=val", 1_449, 1_449),
}


def apply_protocol(name: str, truth: Truth) -> Truth:
    """The images of a protocol: the first ones by sorted id.

    The papers' lists are not part of this package, so the number of images is all that is checked: another set of
    as many images passes.

    Raises:
        UserError: the truth has more or fewer images than the set that the protocol chooses from.
    """
    protocol = PROTOCOLS[name]
    if len(truth.images) != protocol.available:
        raise UserError(
            f"--protocol={name} needs {protocol.truth}, {protocol.available} images; "
            f"{truth.source} has {len(truth.images)}."
        )
    return dataclasses.replace(truth, source=f"{truth.source} ({name})", images=truth.images[: protocol.first])


@dataclasses.dataclass(frozen=True)
class Published:
    """Average recall of segments [%] that a paper states at 10, 100 and 1000 proposals."""

    method: str
    recalls: tuple[float, float, float]


#: Numbers of proposals that the papers report.
PUBLISHED_LIMITS = (10, 100, 1000)
#: As stated by Dai et al. (ECCV 2016) and, for DeepMask and DeepMaskZoom, Pinheiro et al. (NIPS 2015).
PUBLISHED = {
    "coco": (
        Published("Selective Search", (2.5, 9.5, 23.0)),
        Published("MCG", (7.7, 18.6, 29.9)),
        Published("DeepMask", (12.6, 24.5, 33.1)),
        Published("DeepMaskZoom", (12.7, 26.1, 36.6)),
        Published("InstanceFCN", (16.6, 31.7, 39.2)),
    ),
    "voc": (
        Published("Selective Search", (7.0, 23.5, 43.3)),
        Published("MCG", (18.9, 36.8, 49.5)),
        Published("~DeepMask", (31.2, 42.9, 47.0)),
        Published("MNC", (33.4, 48.5, 53.8)),
        Published("InstanceFCN", (38.9, 49.7, 52.6)),
    ),
}
