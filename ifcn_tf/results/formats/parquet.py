"""Parquet (https://parquet.apache.org), which data frames and query engines read column by column."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

from ifcn_tf.common.arrow import arrow
from ifcn_tf.common.files import atomic_write
from ifcn_tf.results.formats.image_proposals import ImageProposals, Images

#: Rows that are held in memory and written together [count].
_GROUP = 100


def library() -> ModuleType:
    """pyarrow; raises UserError where it is not installed."""
    return arrow("Parquet")


def parquet(images: Images, output: Path, simplify: float) -> None:
    """One table with a row a photograph: its size, lists of scores, boxes, run lengths and names, or why it failed."""
    pyarrow, rows = library(), map(_row, images)
    schema = _schema(pyarrow)
    with atomic_write(output, "wb") as file, pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(itertools.islice(rows, _GROUP)):
            writer.write_batch(pyarrow.RecordBatch.from_pylist(group, schema))


def _schema(pyarrow: ModuleType) -> Any:
    text, number = pyarrow.string(), pyarrow.int32()
    columns = {
        "file_name": text,
        "image_id": text,
        "height": number,
        "width": number,
        "error": text,
        "scores": pyarrow.list_(pyarrow.float32()),
        "boxes_xywh": pyarrow.list_(pyarrow.list_(pyarrow.float32(), 4)),
        "masks": pyarrow.list_(text),
        "category_ids": pyarrow.list_(pyarrow.int64()),
        "labels": pyarrow.list_(text),
    }
    return pyarrow.schema(list(columns.items()))


def _row(image: ImageProposals) -> dict[str, Any]:
    """What there is of a photograph; the rest is null."""
    row = {"file_name": image.path.name, "image_id": str(image.image_id), "error": image.error}
    if image.error is not None:
        return row
    found = image.proposals
    height, width = found.size_hw
    masks = {"masks": [rle["counts"] for rle in found.rles], "boxes_xywh": found.boxes_xywh().tolist()}
    names = {} if found.category_ids is None else {"category_ids": found.category_ids, "labels": found.labels}
    return {**row, "height": height, "width": width, "scores": found.scores, **masks, **names}
