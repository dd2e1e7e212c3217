"""The image lists of the papers: complete, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ifcn_tf.annotations.example import Example
from ifcn_tf.common.files import UserError
from ifcn_tf.evaluation.protocols import PROTOCOLS, apply_protocol
from ifcn_tf.evaluation.run import read_truth
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.evaluation.voc import read_voc
from tests.evaluation.test_voc import SIZE_HW, write_sbd


def images(count: int, pattern: str) -> Truth:
    return Truth("truth", [Example(str(i), pattern.format(i), SIZE_HW, ()) for i in range(count)], {})


@pytest.mark.parametrize(
    "name, evaluated, pattern",
    [
        ("coco_first5k", 5000, "COCO_val2014_{:012d}.jpg"),
        ("voc_sbd_val", 5732, "2008_{:06d}.jpg"),
        ("voc12_val", 1449, "2007_{:06d}.jpg"),
    ],
)
def test_protocols_take_their_list_and_refuse_other_ones(name: str, evaluated: int, pattern: str):
    available = PROTOCOLS[name].available
    whole = images(available, pattern)
    assert [image.image_id for image in apply_protocol(name, whole).images] == list(range(evaluated))
    with pytest.raises(UserError, match=f"--protocol={name} needs .*; truth has {available - 1}"):
        apply_protocol(name, images(available - 1, pattern))
    with pytest.raises(UserError, match=r"truth has images of other names \(COCO_train2014_000000000000.jpg"):
        apply_protocol(name, images(available, "COCO_train2014_{:012d}.jpg"))


def test_a_protocol_leaves_out_what_sbd_has_not(tmp_path: Path):
    """Of VOC2012's list for detection, with a second column for a class, SBD has masks of a part."""
    root = write_sbd(tmp_path / "SBD", ["2008_000002", "2008_000003"])
    (tmp_path / "val.txt").write_text("2008_000003 1\n2008_000001 -1\n2008_000002 -1\n")
    truth = read_voc(root, str(tmp_path / "val.txt"), takes_part_of_list=True)
    assert [image.image_id for image in truth.images] == ["2008_000002", "2008_000003"]
    with pytest.raises(UserError, match=r"1 of 3 images of .*val.txt are not in .*inst \(2008_000001\)"):
        read_voc(root, str(tmp_path / "val.txt"))
    with pytest.raises(UserError, match=r"needs --voc_root=SBD .* 5732 images; .*val.txt has 2"):
        read_truth(None, str(root), str(tmp_path / "val.txt"), "voc_sbd_val")
