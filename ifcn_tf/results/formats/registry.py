"""The formats by name: what `propose` and `convert` write."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ifcn_tf.common.files import UserError, whole_folder
from ifcn_tf.images.bucket import BucketPath
from ifcn_tf.results.formats.coco import coco_annotations, coco_results, fiftyone
from ifcn_tf.results.formats.contact_sheet import contact_sheet
from ifcn_tf.results.formats.cvat import cvat
from ifcn_tf.results.formats.geojson import geojson
from ifcn_tf.results.formats.image_proposals import Images
from ifcn_tf.results.formats.label_studio import label_studio
from ifcn_tf.results.formats.labelme import labelme
from ifcn_tf.results.formats.parquet import library, parquet
from ifcn_tf.results.formats.pictures import cutouts, outlines, overlays
from ifcn_tf.results.formats.pngs import binary_masks, index_png
from ifcn_tf.results.formats.table import csv_table
from ifcn_tf.results.formats.yolo import yolo


@dataclasses.dataclass(frozen=True)
class Format:
    """A form of files.

    Attributes:
        write: takes photographs with their proposals, where to write, and the largest distance of polygons from the
            outlines of masks [px], see `masks.outlines`. It writes one file, whole or not at all, or into a folder
            files of each image, each whole or not at all, so that it may be called for one image after the other.
        suffix: of the one file; none of a folder.
        complete: whether a run gives it all that it found: every proposal, and photographs that failed. Others are
            given the proposals that are shown.
        on_disk: whether it says where photographs lie on a disk, and so cannot be of those in a bucket.
        library: imports what else it needs; raises UserError where that is not installed.
    """

    write: Callable[[Images, Path, float], None]
    suffix: str = ""
    complete: bool = False
    on_disk: bool = False
    library: Callable[[], object] | None = None

    @property
    def summary(self) -> str:
        """What it writes, in one sentence."""
        return str(self.write.__doc__).splitlines()[0]


FORMATS = {
    "binary_masks": Format(binary_masks),
    "coco": Format(coco_results, ".json"),
    "coco_annotations": Format(coco_annotations, ".json"),
    "contact_sheet": Format(contact_sheet, ".html"),
    "csv": Format(csv_table),
    "cutouts": Format(cutouts),
    "cvat": Format(cvat, ".xml"),
    "fiftyone": Format(fiftyone, ".json", on_disk=True),
    "geojson": Format(geojson),
    "index_png": Format(index_png),
    "label_studio": Format(label_studio, ".json"),
    "labelme": Format(labelme, on_disk=True),
    "outlines": Format(outlines),
    "overlays": Format(overlays),
    "parquet": Format(parquet, ".parquet", complete=True, library=library),
    "yolo": Format(yolo),
}


def require_writable(names: Iterable[str], paths: Sequence[Path]) -> None:
    """Raises UserError where a package for one of these formats is not installed, or it cannot be of these photographs.

    To be asked before a long run, which would end without its files.
    """
    remote = next((path for path in paths if isinstance(path, BucketPath)), None)
    for name in names:
        if FORMATS[name].on_disk and remote:
            raise UserError(f"{name} says where photographs lie on a disk, not that of {remote}: mount the bucket.")
        if library := FORMATS[name].library:
            library()


def write_whole(name: str, images: Images, output: Path, simplify: float) -> None:
    """Writes a format's file, or its folder, which has to be new; nothing is left where that fails.

    Raises:
        UserError: the folder exists, the disk refuses, or what `images` raises.
    """
    if FORMATS[name].suffix:
        FORMATS[name].write(images, output, simplify)
        return
    with whole_folder(output) as folder:
        FORMATS[name].write(images, folder, simplify)
