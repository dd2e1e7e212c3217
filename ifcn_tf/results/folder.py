"""Proposals for many images, into a folder: goes on after bad files, and can go on after an interruption."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ifcn_tf.common.files import BadImageError, UserError, read_json, require_text, write_json
from ifcn_tf.common.ids import id_of_file
from ifcn_tf.common.pool import in_threads
from ifcn_tf.common.progress import track
from ifcn_tf.images.bucket import find_in_bucket, is_address
from ifcn_tf.images.files import OTHER_SUFFIXES, SUFFIXES
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.output import Failure, Output
from ifcn_tf.results.parts import has_parts, is_done
from ifcn_tf.results.run_file import PLACES, RUN


class AnyPredictor(Protocol):
    """What `propose_images` needs: `Predictor`, `OnnxPredictor`, a `Client` of a server, or another of their kind.

    A Proposer turns pixels into arrays inside a graph; a Predictor turns photographs into `Proposals`.
    """

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the proposals, as JSON types."""

    def propose_file(self, path: Path) -> tuple[np.ndarray, Proposals]:
        """An image file's pixels, uint8 [H, W, 3], and their proposals; raises BadImageError on a bad file."""


def find_images(*patterns: str) -> list[Path]:
    """Image files that paths name: a file, the images directly in a folder, or a glob pattern (`**` enters folders).

    A file or folder may be in a bucket, `s3://BUCKET/FOLDER` (`images.bucket.find_in_bucket`).

    Raises:
        UserError: nothing found, an unreadable folder, or two files that would have the same image id.
    """
    found = sorted({path for pattern in patterns or ("",) for path in _find(pattern)})
    _require_distinct_ids(found)
    return found


def _find(pattern: str) -> list[Path]:
    if not pattern:
        raise UserError("no images named: give a file, a folder or a quoted pattern.")
    path = Path(pattern)
    try:
        if is_address(pattern):
            found = list[Path](find_in_bucket(pattern, SUFFIXES))
        elif path.is_dir():
            found = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()]
        elif path.is_file():
            found = [path]
        else:
            found = [file for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if file.is_file()]
    except (OSError, ValueError) as error:  # such as "**" within a name
        raise UserError(f"cannot read {pattern}: {getattr(error, 'strerror', None) or error}.") from error
    for file in found:
        require_text(file)
    if not found:
        others = f" ({others})" if (others := left_out(pattern)) else ""
        raise UserError(f"no images at {pattern}{others}: give a file, a folder or a pattern of {', '.join(SUFFIXES)}.")
    return found


def left_out(pattern: str) -> str:
    """What `find_images` does not take of a folder although it looks like images, for the terminal; "" if nothing."""
    path = Path(pattern)
    suffixes = Counter(file.suffix.lower() for file in path.iterdir()) if path.is_dir() else Counter[str]()
    counts = [f"{count} x {suffix}" for suffix, count in sorted(suffixes.items()) if suffix in OTHER_SUFFIXES]
    return f"left out: {', '.join(counts)}, which cannot be read: save them as JPEG or PNG" if counts else ""


def _require_distinct_ids(paths: Sequence[Path]) -> None:
    owner: dict[int | str, Path] = {}
    for path in paths:
        other = owner.setdefault(id_of_file(path), path)
        if other is not path:
            raise UserError(f"{other} and {path} would both be image {id_of_file(path)}: rename one of them.")


#: Proposes for images and writes what is wanted of each: yields for each, in any order, why it failed, or None.
Finish = Callable[[Sequence[Path], Output], Iterator[Failure | None]]


def in_this_process(predictor: AnyPredictor, in_flight: int = 1) -> Finish:
    """Images are asked for by threads, `in_flight` at once, for a predictor that waits for a server; one writes."""

    def finish(paths: Sequence[Path], output: Output) -> Iterator[Failure | None]:
        answers = in_threads((partial(_propose, predictor, path) for path in paths), in_flight)
        for path, answer in zip(paths, answers, strict=True):
            yield answer if isinstance(answer, Failure) else _write(output, path, *answer)

    return finish


def propose_images(
    predictor: AnyPredictor,
    paths: Sequence[Path],
    output: Output,
    finish: Finish | None = None,
    resume: bool = False,
    places: dict[str, Any] | None = None,
) -> list[Failure]:
    """Writes proposals.json (COCO results) and further formats: files of one image at once, of all images in the end.

    Args:
        predictor: reads images and proposes their objects.
        paths: image files of distinct stems.
        output: what is written, and where.
        finish: who does so for one image after the other; the predictor in this process by default.
        resume: skip images that an earlier run finished; run.json keeps its settings, so that two cannot mix.
        places: what run.json says of where images and network are, so that the run can be repeated.

    Returns:
        The images that failed; all others are in proposals.json, which is not written where there are none, nor are
        formats that do not tell of failures.

    Raises:
        UserError: the folder cannot be written, or resumes a run of other settings; a format cannot be written.
    """
    output.require_writable(paths)  # or a long run would end without its files
    settings = run_settings(predictor, paths, output)
    if resume:
        _require_same_settings(output.folder / RUN, settings)
    else:
        output.remove_earlier()  # or a later --resume would take them for this run's
    write_json(output.folder / RUN, {**settings, **({"places": places} if places else {})})
    waiting = [path for path in paths if not (resume and is_done(output.folder, path))]
    finish = finish or in_this_process(predictor)
    with _resumable():
        found = [failure for failure in track(finish(waiting, output), len(waiting), "proposing") if failure]
    failed = {failure.path: failure for failure in found}
    output.write_of_all(paths, failed, settings)
    if not output.written(len(failed) < len(paths)):
        (output.folder / RUN).unlink()
    return [failed[path] for path in paths if path in failed]


def run_settings(predictor: AnyPredictor, paths: Sequence[Path], output: Output) -> dict[str, Any]:
    """What determines the files of a run, as JSON types."""
    images = sorted({str(path.parent.resolve()) for path in paths})
    written = {"formats": sorted(output.formats), "shown": output.shown.to_dict(), "simplify": output.simplify}
    return {**predictor.settings, "images": images, **written}


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """Adds to the errors of a run how to go on after them."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}; then run again with --resume, which keeps what is done.") from error


def _write(output: Output, path: Path, image: np.ndarray, proposals: Proposals) -> Failure | None:
    try:
        output.write(path, image, proposals)
    except BadImageError as error:  # such as a GeoTIFF without a sensible place on the map
        return Failure(path, str(error))
    return None


def _propose(predictor: AnyPredictor, path: Path) -> tuple[np.ndarray, Proposals] | Failure:
    try:
        return predictor.propose_file(path)
    except BadImageError as error:
        return Failure(path, str(error))


def summary(output: Output, num_images: int, failures: Sequence[Failure]) -> str:
    """What a run wrote and what failed, for the terminal."""
    done = num_images - len(failures)
    written = output.written(done > 0)
    lines = [f"{done} of {num_images} image(s) done: {', '.join(map(str, written)) or 'nothing written'}"]
    return "\n".join(lines + [f"failed: {failure.reason}" for failure in failures])


def _require_same_settings(path: Path, settings: dict[str, Any]) -> None:
    earlier = read_json(path) if path.exists() or has_parts(path.parent) else settings
    changed = sorted(name for name in {*earlier, *settings} - {PLACES} if earlier.get(name) != settings.get(name))
    if changed:
        raise UserError(
            f"{path.parent} was made with other settings ({', '.join(changed)}): remove it, or choose another --output."
        )
