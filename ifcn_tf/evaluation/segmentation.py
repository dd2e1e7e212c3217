"""How right label images are: from folders of PNGs to FCN's measures, each with its bootstrap interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ifcn_tf.annotations.label_images import open_labels
from ifcn_tf.annotations.reading import ImageLeftOutError
from ifcn_tf.common.classes import VOC_CLASSES, VOID
from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import examples
from ifcn_tf.common.progress import track
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.config.settings import require
from ifcn_tf.evaluation.bootstrap import interval, resample
from ifcn_tf.evaluation.confusion import class_accuracies, class_ius, confusion, pixel_measures
from ifcn_tf.evaluation.voc import split_names
from ifcn_tf.results.classes import NAMES, read_class_names

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class ClassTruth:
    """Class masks to measure against.

    Attributes:
        source: what they were found by, for messages.
        masks: the PNG of each image, by its name without ending.
        names: of the classes, from value 0 on.
    """

    source: str
    masks: Mapping[str, Path]
    names: Sequence[str]


@dataclasses.dataclass(frozen=True)
class ClassEvaluation:
    """How right the label images of a folder are.

    Attributes:
        names: of the C classes.
        images: how many were measured.
        matrix: int64 [C, C], pixels of the whole set, true classes by rows.
        measures: FCN's four by name [%], with their intervals.
        ius, ius_intervals, accuracies: of each class [%], float64 [C], [C, 2] and [C]; NaN where there is none.
    """

    names: Sequence[str]
    images: int
    matrix: np.ndarray
    measures: Mapping[str, tuple[float, Interval]]
    ius: np.ndarray
    ius_intervals: np.ndarray
    accuracies: np.ndarray


def read_class_truth(answers: Path, masks: str | None, voc_root: str | None, split: str) -> ClassTruth:
    """Finds the truth for a folder of label images: a folder of PNGs, or a split of a VOC folder.

    The names of the classes are those beside the answers (`classes.txt`), of VOC by default VOC's.

    Raises:
        UserError: neither is given, or both; a folder or list that cannot be used; no names, or others than VOC's.
    """
    require(
        (masks is None) != (voc_root is None), "give the truth: either --annotations=FOLDER of PNGs, or --voc_root."
    )
    stated = read_class_names(answers)
    if masks is not None:
        require(
            bool(stated), f"{answers / NAMES} is not there: it says what the values are called, one a line from 0 on."
        )
        found = {path.stem: path for path in sorted(Path(masks).glob("*.png"))}
        require(bool(found), f"there is no PNG in {masks}: give the folder of the class masks (--annotations).")
        return ClassTruth(masks, found, stated)
    folder = Path(str(voc_root)) / "SegmentationClass"
    require(folder.is_dir(), f"{voc_root} is no VOC folder with class masks: there is no {folder}.")
    if stated and stated != list(VOC_CLASSES):
        raise UserError(f"{answers / NAMES} names {len(stated)} classes that are not VOC's {len(VOC_CLASSES)}.")
    names, source = split_names(Path(str(voc_root)) / "ImageSets" / "Segmentation", split)
    return ClassTruth(str(source), {name: folder / f"{name}.png" for name in sorted(names)}, VOC_CLASSES)


def evaluate_classes(answers: Path, truth: ClassTruth, config: EvaluationConfig) -> ClassEvaluation:
    """Measures the label images of a folder, `STEM.png` each; others in it are left alone.

    Raises:
        UserError: an image without an answer, a file that cannot be read, of another size or with a value beyond the
            classes; masks without a pixel that counts.
    """
    missing = [name for name in truth.masks if not (answers / f"{name}.png").is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(truth.masks)} images of {truth.source} have no label image in {answers} "
            f"({examples(missing)})."
        )
    images = track(truth.masks.items(), len(truth.masks), "measuring")
    matrices = np.array([_of_image(mask, answers / f"{name}.png", truth.names) for name, mask in images])
    total = matrices.sum(0)
    require(total.sum() > 0, f"no pixel of {truth.source} counts: all are void.")
    draws = resample(len(matrices), config.resamples, config.seed)
    resampled = (draws.astype(np.float64) @ matrices.reshape(len(matrices), -1)).reshape(-1, *total.shape)
    intervals = {name: interval(values, config.confidence) for name, values in pixel_measures(resampled).items()}
    return ClassEvaluation(
        truth.names,
        len(matrices),
        total,
        {name: (float(value), intervals[name]) for name, value in pixel_measures(total).items()},
        class_ius(total),
        np.array([interval(values, config.confidence) for values in class_ius(resampled).T]),
        class_accuracies(total),
    )


def _of_image(mask: Path, answer: Path, names: Sequence[str]) -> np.ndarray:
    """The confusion matrix of an image."""
    try:
        truth, found = open_labels(mask), open_labels(answer)
    except ImageLeftOutError as error:
        raise UserError(f"{error}.") from error
    if truth.shape != found.shape:
        raise UserError(f"{answer} is {found.shape} (height, width), and {mask} is {truth.shape}: they need one size.")
    _require_known(mask, truth[truth != VOID], names)
    _require_known(answer, found[truth != VOID], names)
    return confusion(truth, found, len(names))


def _require_known(path: Path, values: np.ndarray, names: Sequence[str]) -> None:
    if len(beyond := values[(values < 0) | (values >= len(names))]):
        raise UserError(f"{path} has the value {beyond[0]}, and there are {len(names)} classes, 0 to {len(names) - 1}.")
