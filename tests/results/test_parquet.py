"""The table of a run: what each photograph's row says, also of one that failed."""

import sys

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from ifcn_tf.common.files import UserError
from ifcn_tf.images.files import read_pixels
from ifcn_tf.masks.rle import encode
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.folder import Output, find_images, propose_images
from ifcn_tf.results.formats.image_proposals import ImageProposals
from ifcn_tf.results.formats.parquet import parquet


class Two:
    """Stands in for a predictor: proposes a box of 3 x 2 pixels, and the same one again; nothing in small pictures."""

    def __init__(self, names=None):
        self.names, self.settings = names, {"weights": "abc", "categories": names or {}}

    def propose_file(self, path):
        image = read_pixels(path)
        mask = np.zeros(image.shape[:2], bool)
        mask[5:7, 4:7] = True
        rles = [encode(mask)] * 2 if image.shape[0] > 10 else []
        scores = np.array([0.75, 0.5], np.float32)[: len(rles)]
        names = {"category_ids": np.array([7, 9][: len(rles)]), "categories": self.names} if self.names else {}
        return image, Proposals(image.shape[:2], scores, rles, **names)


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, size in (("000000000139.png", (30, 20)), ("small.png", (9, 8))):
        Image.new("RGB", size).save(folder / name)
    (folder / "bad.png").write_bytes(b"no image")
    return folder


def rows(photographs, output, predictor, **options):
    table = pytest.importorskip("pyarrow.parquet", reason="the extra `arrow` is not installed")
    propose_images(predictor, find_images(str(photographs)), Output(output, ["parquet"]), **options)
    return table.read_table(output / "parquet.parquet").to_pylist()


def test_a_row_a_photograph_with_all_proposals_or_the_error(photographs, tmp_path):
    found, bad, small = rows(photographs, tmp_path / "out", Two())
    size = found["height"], found["width"]
    assert (found["file_name"], found["image_id"], size, found["error"]) == ("000000000139.png", "139", (20, 30), None)
    assert (found["scores"], found["boxes_xywh"]) == ([0.75, 0.5], [[4, 5, 3, 2]] * 2)
    assert coco_mask.area({"size": size, "counts": found["masks"][1]}) == 6
    assert found["category_ids"] is found["labels"] is None
    assert bad["error"].endswith("bad.png is not a readable JPEG, PNG, GIF, BMP, WebP or TIFF image.")
    assert [value for name, value in bad.items() if name not in ("file_name", "image_id", "error")] == [None] * 7
    assert (small["height"], small["width"], small["scores"], small["masks"]) == (8, 9, [], [])


def test_the_table_tells_of_failures_where_all_photographs_fail(photographs, tmp_path):
    for name in ("000000000139.png", "small.png"):
        (photographs / name).unlink()
    (bad,) = rows(photographs, tmp_path / "out", Two())
    assert bad["error"].endswith("bad.png is not a readable JPEG, PNG, GIF, BMP, WebP or TIFF image.")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"parquet.parquet", "run.json"}


def test_names_are_columns(photographs, tmp_path):
    found, bad, small = rows(photographs, tmp_path / "out", Two({7: "cup", 9: "spoon"}))
    assert (bad["labels"], small["category_ids"], small["labels"]) == (None, [], [])
    assert (found["category_ids"], found["labels"]) == ([7, 9], ["cup", "spoon"])


def test_a_run_that_is_resumed_writes_the_same_rows(photographs, tmp_path):
    """A photograph that failed is tried again."""
    first = rows(photographs, tmp_path / "out", Two())
    assert rows(photographs, tmp_path / "out", Two(), resume=True) == first
    Image.new("RGB", (9, 8)).save(photographs / "bad.png")
    assert [row["error"] for row in rows(photographs, tmp_path / "out", Two(), resume=True)] == [None] * 3


def test_rows_are_written_a_hundred_at_a_time(tmp_path):
    table = pytest.importorskip("pyarrow.parquet", reason="the extra `arrow` is not installed")
    parquet((ImageProposals.failed(tmp_path / f"{n}.png", "why") for n in range(250)), tmp_path / "all.parquet", 0.0)
    file = table.ParquetFile(tmp_path / "all.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [100, 100, 50]


def test_a_run_that_could_not_write_its_table_does_not_begin(photographs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"Parquet needs pyarrow: pip install 'ifcn-tf\[arrow\]'"):
        propose_images(Two(), find_images(str(photographs)), Output(tmp_path / "out", ["parquet"]))
    assert not (tmp_path / "out").exists()
