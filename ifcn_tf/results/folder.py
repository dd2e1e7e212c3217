"""Proposals for many images, into a folder: goes on after bad files, and can go on after an interruption."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.pool import AsyncResult, ThreadPool
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ifcn_tf.common.files import BadImageError, UserError, read_json, write_json
from ifcn_tf.common.ids import id_of_file
from ifcn_tf.config.proposing import ShownConfig
from ifcn_tf.proposals import Proposals
from ifcn_tf.results import formats as output

Answer = TypeVar("Answer")

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp")


class ImageProposer(Protocol):
    """What `propose_images` needs: `Predictor`, a client of a server, or anything else that proposes objects."""

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the proposals, as JSON types."""

    def propose_file(self, path: Path) -> tuple[np.ndarray, Proposals]:
        """An image file's pixels, uint8 [H, W, 3], and their proposals; raises BadImageError on a bad file."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """An image without proposals, and the reason in one sentence."""

    path: Path
    reason: str


def find_images(pattern: str) -> list[Path]:
    """Image files that a path names: a file, the images directly in a folder, or a glob pattern (`**` enters folders).

    Raises:
        UserError: nothing found, an unreadable folder, or two files that would have the same image id.
    """
    if not pattern:
        raise UserError("no images named: give a file, a folder or a quoted pattern.")
    path = Path(pattern)
    try:
        if path.is_dir():
            found = [file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
        elif path.is_file():
            found = [path]
        else:
            found = [file for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if file.is_file()]
    except OSError as error:
        raise UserError(f"cannot read {pattern}: {error.strerror or error}.") from error
    if not found:
        raise UserError(f"no images at {pattern}: give a file, a folder or a pattern of {', '.join(IMAGE_SUFFIXES)}.")
    _require_distinct_ids(found)
    return sorted(found)


def _require_distinct_ids(paths: Sequence[Path]) -> None:
    owner: dict[int | str, Path] = {}
    for path in paths:
        other = owner.setdefault(id_of_file(path), path)
        if other is not path:
            raise UserError(f"{other} and {path} would both be image {id_of_file(path)}: rename one of them.")


def propose_images(
    proposer: ImageProposer,
    paths: Sequence[Path],
    folder: Path,
    formats: Sequence[str] = (),
    shown: ShownConfig | None = None,
    resume: bool = False,
    in_flight: int = 1,
) -> list[Failure]:
    """Writes proposals.json (COCO results), overlays/STEM.png, and further formats, for every image.

    Args:
        proposer: reads images and proposes their objects.
        paths: image files of distinct stems.
        folder: where to write; made when absent.
        formats: names of `output.WRITERS`.
        shown: which proposals overlays and further formats show.
        resume: skip images that an earlier run finished; run.json keeps its settings, so that two cannot mix.
        in_flight: images asked for at once, for a proposer that waits for a server; its `propose_file` is then called
            from threads. Files are written by one thread and in order all the same.

    Returns:
        The images that failed; all others are in proposals.json.

    Raises:
        UserError: the folder cannot be written, or resumes a run of other settings.
    """
    shown = shown or ShownConfig()
    images = sorted({str(path.parent.resolve()) for path in paths})
    settings = {**proposer.settings, "images": images, "formats": sorted(formats), "shown": shown.to_dict()}
    if resume:
        _require_same_settings(folder / "run.json", settings)
    else:
        output.remove_parts(folder)  # or a later --resume would take them for this run's
    write_json(folder / "run.json", settings)
    waiting = [path for path in paths if not (resume and output.is_done(folder, path))]
    failures = list[Failure]()
    with _progress_bar() as bar, _resumable():
        answers = _in_order(partial(_propose, proposer), waiting, in_flight)
        for path, answer in bar.track(zip(waiting, answers, strict=True), len(waiting), description="images"):
            if isinstance(answer, Failure):
                failures.append(answer)
            else:
                _write_image(folder, path, *answer, formats, shown)
    failed = {failure.path for failure in failures}
    output.merge_parts(folder, [path for path in paths if path not in failed])
    return failures


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """Adds to the errors of a run how to go on after them."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}; then run again with --resume, which keeps what is done.") from error


def _propose(proposer: ImageProposer, path: Path) -> tuple[np.ndarray, Proposals] | Failure:
    try:
        return proposer.propose_file(path)
    except BadImageError as error:
        return Failure(path, str(error))


def _in_order(function: Callable[[Path], Answer], paths: Sequence[Path], in_flight: int) -> Iterator[Answer]:
    """The function of each path, in order, `in_flight` at a time; at most as many again wait to be taken."""
    if in_flight == 1:
        yield from map(function, paths)
        return
    ahead: deque[AsyncResult[Answer]] = deque()
    with ThreadPool(in_flight) as pool:  # its threads end with the process, so an interruption waits for no answer
        for path in paths:
            ahead.append(pool.apply_async(function, (path,)))
            if len(ahead) == 2 * in_flight:
                yield ahead.popleft().get()
        while ahead:
            yield ahead.popleft().get()


def summary(folder: Path, num_images: int, failures: Sequence[Failure]) -> str:
    """What a run wrote and what failed, for the terminal."""
    done = num_images - len(failures)
    lines = [f"{done} of {num_images} image(s) done: {folder / 'proposals.json'}, pictures in {folder / 'overlays'}"]
    return "\n".join(lines + [f"failed: {failure.reason}" for failure in failures])


def _write_image(
    folder: Path, path: Path, image: np.ndarray, proposals: Proposals, formats: Sequence[str], shown: ShownConfig
) -> None:
    best = proposals.distinct(shown)
    output.write_overlay(folder, path, image, best)
    for name in formats:
        output.WRITERS[name](folder, path, best)
    output.write_part(folder, path, proposals)  # last: it marks the image as done


def _require_same_settings(path: Path, settings: dict[str, Any]) -> None:
    earlier = read_json(path) if path.exists() or output.has_parts(path.parent) else settings
    changed = sorted(name for name in {*earlier, *settings} if earlier.get(name) != settings.get(name))
    if changed:
        raise UserError(
            f"{path.parent} was made with other settings ({', '.join(changed)}): "
            "drop --resume, or choose another --output."
        )


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
