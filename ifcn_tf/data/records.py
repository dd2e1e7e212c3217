"""Prepared data: TFRecord shards NAME-00000-of-00008.tfrecord with index.npy and dataset.json beside them.

Every record is a tf.train.Example with the keys of TensorFlow's detection convention; masks are run lengths. The index
says where each record lies, so that any record can be read at once and in any order, and holds its fingerprint, so
that a damaged one is noticed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from ifcn_tf.annotations.example import Example
from ifcn_tf.common.files import UserError, read_json, write_json
from ifcn_tf.data.regions import Regions
from ifcn_tf.masks.rle import run_lengths

#: Written into dataset.json; raised whenever an older reader would misread the records.
FORMAT_VERSION = 1
#: Bytes of TFRecord's frame before a record (length and its checksum) and after it (checksum).
_HEAD, _TAIL = 12, 4
#: Columns of the index, int64 [N, 4].
_SHARD, _OFFSET, _LENGTH, _FINGERPRINT = range(4)


def serialize(example: Example, regions: Regions | None = None) -> bytes:
    """The example, with regions where there are some, as a serialized tf.train.Example."""
    height, width = example.size_hw
    objects, runs = example.objects, run_lengths(example.rles)
    corners = example.boxes_xywh.copy()
    corners[:, 2:] += corners[:, :2]
    boxes = corners / [width, height, width, height]
    features = {
        "image/encoded": _bytes(example.encoded),
        "image/filename": _bytes(example.file_name.encode()),
        "image/source_id": _bytes(example.source_id.encode()),
        "image/height": _ints([height]),
        "image/width": _ints([width]),
        "image/segmentation/class/encoded": _bytes(example.classes),
        "image/object/class/label": _ints([o.category_id for o in objects]),
        "image/object/is_crowd": _ints([int(o.is_crowd) for o in objects]),
        "image/object/area": _floats([o.area for o in objects]),
        "image/object/mask/counts": _ints([run for lengths in runs for run in lengths.tolist()]),
        "image/object/mask/num_counts": _ints(list(map(len, runs))),
    }
    for column, name in enumerate(("xmin", "ymin", "xmax", "ymax")):
        features[f"image/object/bbox/{name}"] = _floats(boxes[:, column])
    if regions is not None:
        features |= {
            "image/region/boxes_yxyx": _floats(regions.boxes_yxyx.ravel()),
            "image/region/masks": _bytes(regions.masks.tobytes()),
            "image/region/objects": _ints(regions.objects.tolist()),
            "image/region/box_ious": _floats(regions.box_ious),
            "image/region/mask_ious": _floats(regions.mask_ious),
        }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _ints(values: Sequence[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _floats(values: Any) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads a record back.

    Returns:
        A dict by the record's keys: strings and int64 scalars of the image, and a vector of N objects for each
        "image/object/..." ("image/object/mask/counts": the runs of all objects, one after the other). Of regions
        ("image/region/...") what `serialize` writes, boxes as a vector; empty where there are none.
    """
    scalars = {"encoded": tf.string, "filename": tf.string, "source_id": tf.string}
    scalars |= {"height": tf.int64, "width": tf.int64}
    vectors = {"class/label": tf.int64, "is_crowd": tf.int64, "mask/counts": tf.int64, "mask/num_counts": tf.int64}
    vectors |= dict.fromkeys(("area", "bbox/ymin", "bbox/xmin", "bbox/ymax", "bbox/xmax"), tf.float32)
    vectors = {f"image/object/{name}": kind for name, kind in vectors.items()} | {"image/region/objects": tf.int64}
    vectors |= {f"image/region/{name}": tf.float32 for name in ("boxes_yxyx", "box_ious", "mask_ious")}
    features: dict[str, Any] = {f"image/{name}": tf.io.FixedLenFeature([], kind) for name, kind in scalars.items()}
    for name in ("image/segmentation/class/encoded", "image/region/masks"):  # where there is none
        features[name] = tf.io.FixedLenFeature([], tf.string, "")
    for name, kind in vectors.items():
        features[name] = tf.io.FixedLenSequenceFeature([], kind, allow_missing=True)
    return tf.io.parse_single_example(serialized, features)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Around TensorFlow's writing: makes its errors those of the operating system, which `whole_folder` words."""
    try:
        yield
    except tf.errors.OpError as error:
        full = isinstance(error, tf.errors.ResourceExhaustedError)
        raise OSError(errno.ENOSPC if full else errno.EIO, error.message) from error


class Writer:
    """Spreads examples over shards; only the index is kept in memory, 32 bytes an image."""

    def __init__(self, folder: Path, name: str, num_shards: int) -> None:
        self.folder = folder
        self.files = [f"{name}-{shard:05d}-of-{num_shards:05d}.tfrecord" for shard in range(num_shards)]
        self.shards = [tf.io.TFRecordWriter(str(folder / file)) for file in self.files]
        self.ends = [0] * num_shards  # bytes written
        self.index: list[tuple[int, int, int, int]] = []

    def write(self, example: Example, regions: Regions | None = None) -> None:
        """Appends one example to the next shard in turn."""
        serialized = serialize(example, regions)
        shard = len(self.index) % len(self.shards)
        with _disk_errors():
            self.shards[shard].write(serialized)
        offset = self.ends[shard] + _HEAD
        self.index.append((shard, offset, len(serialized), int(_fingerprint(tf.constant(serialized)))))
        self.ends[shard] = offset + len(serialized) + _TAIL

    def close(self, description: dict[str, Any]) -> None:
        """Ends the shards and writes index.npy and dataset.json."""
        with _disk_errors():
            for shard in self.shards:
                shard.close()
        np.save(self.folder / "index.npy", np.reshape(np.array(self.index, np.int64), (-1, 4)))
        shards = [{"file": file, "bytes": size} for file, size in zip(self.files, self.ends, strict=True)]
        head = {"format_version": FORMAT_VERSION, "examples": len(self.index)}
        write_json(self.folder / "dataset.json", {**head, **description, "shards": shards})


def _fingerprint(serialized: tf.Tensor) -> tf.Tensor:
    """A 64-bit fingerprint of one string, int64 scalar."""
    return tf.bitcast(tf.fingerprint(serialized[None]), tf.int64)[0]


@dataclasses.dataclass(frozen=True)
class Records:
    """Every record of some prepared folders, numbered from 0.

    Attributes:
        files: paths of the shards.
        sizes: int64 [shards], bytes of each.
        index: int64 [N, 4]: shard, offset [bytes], length [bytes], fingerprint.
        folders: int64 [N], which of the folders each record is in.
        partial: bool [folders], whether only some of the objects in a folder's photographs are labelled.
        categories: names by id, of all folders together.
    """

    files: list[str]
    sizes: np.ndarray
    index: np.ndarray
    folders: np.ndarray
    partial: np.ndarray
    categories: dict[int, str]

    def __len__(self) -> int:
        return len(self.index)

    @classmethod
    def open(cls, folders: Sequence[Path]) -> Self:
        """Opens folders that `prepare_data` wrote.

        Raises:
            UserError: a folder is no such folder, of another format version, incomplete or empty.
        """
        files: list[str] = []
        sizes: list[int] = []
        indices: list[np.ndarray] = []
        partial: list[bool] = []
        categories: dict[int, str] = {}
        for folder in folders:
            with _whole_description(folder):
                description = _description(folder)
                index = _read_index(folder, description)
                index[:, _SHARD] += len(files)
                indices.append(index)
                partial.append(bool(description.get("partial", False)))
                for shard in description["shards"]:
                    files.append(str(_whole(folder / shard["file"], shard["bytes"])))
                    sizes.append(shard["bytes"])
                categories |= {int(number): name for number, name in description["categories"].items()}
        if not sum(map(len, indices)):
            raise UserError(f"{', '.join(map(str, folders)) or 'the list of data'} holds no example; prepare some.")
        numbers = np.repeat(np.arange(len(indices)), [len(index) for index in indices])
        return cls(
            files, np.array(sizes, np.int64), np.concatenate(indices), numbers, np.array(partial, bool), categories
        )

    def parsed(self, number: tf.Tensor) -> dict[str, tf.Tensor]:
        """Reads one record as `parse` returns it, with "image/partial", a bool: whether its folder is `partial`."""
        return parse(self.read(number)) | {"image/partial": tf.gather(self.partial[self.folders], number)}

    def count(self, condition: Callable[[dict[str, tf.Tensor]], tf.Tensor]) -> int:
        """How many records meet a condition on what `parse` returns of them; raises UserError where one is damaged."""
        with naming_damage():
            met = tf.data.Dataset.range(len(self)).map(lambda number: condition(parse(self.read(number))))
            return sum(map(int, met.as_numpy_iterator()))

    def read(self, number: tf.Tensor) -> tf.Tensor:
        """Reads one record.

        Args:
            number: int64 scalar, 0 <= number < len(self).

        Returns:
            The serialized example, a string scalar. In a graph, a damaged record raises InvalidArgumentError, with a
            message that names its file.
        """
        shard, offset, length, fingerprint = tf.unstack(tf.gather(self.index, number))
        file = tf.gather(self.files, shard)
        rest = tf.gather(self.sizes, shard) - offset - length
        serialized = tf.data.FixedLengthRecordDataset(file, length, offset, rest).get_single_element()
        damaged = "a record of this file is damaged; prepare the data again:"
        with tf.control_dependencies([tf.debugging.Assert(_fingerprint(serialized) == fingerprint, [damaged, file])]):
            return tf.identity(serialized)


@contextlib.contextmanager
def naming_damage() -> Iterator[None]:
    """Around what reads records by tf.data: makes TensorFlow's error at a damaged one a UserError with its file."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError):
        raise  # another worker has gone: iterators of several workers wait for one another
    except tf.errors.OpError as error:
        reason = error.message.partition("\n")[0].rpartition("assertion failed: ")[2]
        raise UserError(f"the prepared data cannot be read: {reason}.") from error


@contextlib.contextmanager
def _whole_description(folder: Path) -> Iterator[None]:
    """Around what reads the entries of a description: makes of one that is not as it was written a UserError."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{folder / 'dataset.json'} is damaged; prepare the data again.") from error


def _description(folder: Path) -> dict[str, Any]:
    path = folder / "dataset.json"
    if not path.is_file():
        raise UserError(f"{folder} holds no dataset.json; make the folder with `ifcn-tf prepare-data`.")
    description = read_json(path)
    version = description.get("format_version") if isinstance(description, dict) else None
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version}, and this program reads {FORMAT_VERSION}; prepare the data again."
        )
    return description


def _read_index(folder: Path, description: dict[str, Any]) -> np.ndarray:
    path = folder / "index.npy"
    try:
        index = np.load(path)
    except Exception as error:  # a damaged header meets Python's parser
        raise UserError(f"cannot read {path}: {error}; prepare the data again.") from error
    if not _fits(index, description):
        raise UserError(f"{path} does not belong to the dataset.json beside it; prepare the data again.")
    return index


def _fits(index: np.ndarray, description: dict[str, Any]) -> bool:
    """Whether each place of an index is within a shard."""
    if index.shape != (description["examples"], 4) or index.dtype != np.int64:
        return False
    sizes = np.array([shard["bytes"] for shard in description["shards"]], np.int64)
    shards, offsets, lengths, _ = index.T
    if not ((shards >= 0) & (shards < len(sizes)) & (offsets >= 0) & (lengths >= 0)).all():
        return False
    return bool((offsets <= sizes[shards] - lengths).all())


def _whole(path: Path, size: int) -> Path:
    present = path.stat().st_size if path.is_file() else 0
    if present != size:
        raise UserError(f"{path} has {present} bytes and should have {size}; prepare the data again.")
    return path
