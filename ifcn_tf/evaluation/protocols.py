"""The image lists of the papers, and the numbers that were published on them."""

from __future__ import annotations

import dataclasses
import math
import re

from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import examples
from ifcn_tf.evaluation.truth import Truth


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Which images a paper evaluates on.

    Attributes:
        truth: what to give, for messages.
        available: number of images that the truth must have.
        first: how many of them, by sorted id, are evaluated.
        file_names: pattern of the names of all of them.
        takes_part_of_list: the image list names images without masks too, which are left out.
    """

    truth: str
    available: int
    first: int
    file_names: str
    takes_part_of_list: bool = False


#: The 5,732 images of `voc_sbd_val` (SDS, Hariharan et al., 2014) are those of VOC2012's val list of 5,823 for
#: detection that SBD has; with those of its train list, 5,623 of 5,717, they are all 11,355 of SBD.
PROTOCOLS = {
    "coco_first5k": Protocol(
        "--annotations=instances_val2014.json of COCO", 40_504, 5_000, r"COCO_val2014_\d{12}\.jpg"
    ),
    "voc_sbd_val": Protocol(
        "--voc_root=SBD with --split=VOC2012/ImageSets/Main/val.txt",
        5_732,
        5_732,
        r"20(08|09|10|11)_\d{6}\.jpg",
        takes_part_of_list=True,
    ),
    "voc12_val": Protocol("--voc_root=VOC2012 with --split=val", 1_449, 1_449, r"20(07|08|09|10|11)_\d{6}\.jpg"),
}


def apply_protocol(name: str, truth: Truth) -> Truth:
    """The images of a protocol: the first ones by sorted id.

    Raises:
        UserError: the truth has more or fewer images than the set that the protocol chooses from, or images that are
            not named like those of this set.
    """
    protocol = PROTOCOLS[name]
    needed = f"--protocol={name} needs {protocol.truth}, {protocol.available} images; {truth.source} has "
    if len(truth.images) != protocol.available:
        raise UserError(f"{needed}{len(truth.images)}.")
    others = [i.file_name for i in truth.images if not re.fullmatch(protocol.file_names, i.file_name.split("/")[-1])]
    if others:
        raise UserError(f"{needed}images of other names ({examples(others)}).")
    return dataclasses.replace(truth, source=f"{truth.source} ({name})", images=truth.images[: protocol.first])


@dataclasses.dataclass(frozen=True)
class Published:
    """What a paper states of segments [%].

    Attributes:
        method: its name.
        recalls: average recall at 10, 100 and 1000 proposals; NaN where it is not stated.
        aucs: DeepMask's AUC of all, small, medium and large objects, if stated.
    """

    method: str
    recalls: tuple[float, float, float]
    aucs: tuple[float, ...] = ()


#: Numbers of proposals that the papers report.
PUBLISHED_LIMITS = (10, 100, 1000)
#: As stated by Dai et al. (ECCV 2016, tables 3 and 5); the AUC by Pinheiro et al. (NIPS 2015, table 1).
PUBLISHED = {
    "coco": (
        Published("GOP", (2.3, 12.3, 25.3), (8.5, 1.3, 8.6, 20.5)),
        Published("RIGOR", (math.nan, 9.4, 25.3), (7.4, 2.2, 6.0, 17.8)),
        Published("Selective Search", (2.5, 9.5, 23.0), (7.4, 0.6, 5.5, 21.4)),
        Published("MCG", (7.7, 18.6, 29.9), (13.7, 3.1, 12.9, 32.4)),
        Published("DeepMask", (12.6, 24.5, 33.1), (18.3, 2.3, 26.6, 33.6)),
        Published("DeepMaskZoom", (12.7, 26.1, 36.6), (19.4, 6.8, 26.3, 30.8)),
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
