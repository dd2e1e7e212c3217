"""Commands that write files, on inputs so small that each takes seconds, and what they have written."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np
import pyarrow.parquet
from PIL import Image

import ifcn_tf
from tests.support.exported import encoded, scene
from tests.torture.kinds import KINDS

#: What a command may take [s].
LIMIT = 300
#: Beginning of the names of files that are being written.
_UNFINISHED = ".unfinished-"


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, and what it writes.

    Attributes:
        arguments: of `tests.torture.small`; {inputs} and {output} stand for places.
        results: of what it writes, the files that are the same each time, as patterns.
        again: further arguments of a command that goes on where it was stopped.
        whole: what it writes is there whole or not at all.
        replaces: it takes the place of what it wrote before.
    """

    arguments: tuple[str, ...]
    results: tuple[str, ...] = ("**/*",)
    again: tuple[str, ...] = ()
    whole: bool = True
    replaces: bool = False


_WEIGHTS = "--weights={inputs}/run/model.weights.h5"
COMMANDS = {
    "train": Command(
        (
            *(
                "train",
                "--data={inputs}/prepared",
                "--workdir={output}",
                _WEIGHTS,
                "--steps=40",
                "--set=model.trunk=tiny",
            ),
            *("--set=model.branch_channels=16", "--set=data.shorter_sides=[48]", "--set=train.images_per_step=1"),
            *("--set=train.log_every=1", "--set=train.checkpoint_every=2", "--set=train.precision=float32"),
            *("--set=train.pictures_every=1000", "--set=train.frozen_blocks=0"),
        ),
        results=("last/model.weights.h5",),
        whole=False,
    ),
    "prepare_data": Command(
        ("prepare_data", "--source=shapes", "--count=60", "--num_shards=4", "--workers=2", "--output={output}")
    ),
    "propose": Command(
        (
            *("propose", "--images={inputs}/photographs", _WEIGHTS, "--format=labelme", "--format=parquet"),
            "--output={output}",
        ),
        results=("proposals.json", "parts/*", "labelme/*", "overlays/*", "parquet.parquet"),
        again=("--resume",),
        whole=False,
    ),
    "export": Command(("export", _WEIGHTS, "--output={output}"), results=("1/saved_model.pb", "1/assets.extra/*")),
    "onnx": Command(("export", _WEIGHTS, "--format=onnx", "--output={output}/model.onnx"), replaces=True),
    "litert": Command(("export", _WEIGHTS, "--format=litert", "--output={output}/model.tflite"), replaces=True),
    "evaluate": Command(
        (
            *("evaluate", "--proposals={inputs}/results.json", "--annotations={inputs}/truth.json"),
            *("--num_proposals=1,5", "--resamples=10", "--output={output}"),
        ),
        # metrics.json says where the proposals lie, and SVG files name their parts at random.
        results=("metrics.csv", "*.png"),
        whole=False,
        replaces=True,
    ),
    "convert": Command(
        (
            *("convert", "--input={inputs}/found/proposals.json", "--to=labelme", "--images={inputs}/photographs"),
            "--output={output}",
        )
    ),
}


def inputs_beside(folder: Path) -> Path:
    """What the commands read, one folder for all campaigns, made by the first of them."""
    inputs = folder.parent / "inputs"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place, contextlib.suppress(OSError):
        if not inputs.exists():
            _make_inputs(Path(place, "inputs"))
            Path(place, "inputs").rename(inputs)  # fails where another campaign was faster
    return inputs


def _make_inputs(folder: Path) -> None:
    folder.mkdir()
    KINDS["weights"]().make(folder)
    KINDS["records"]().make(folder)
    KINDS["results"]().make(folder)
    (folder / "photographs").mkdir()
    for number in range(12):
        (folder / "photographs" / f"{number}.png").write_bytes(encoded(scene(number, (60, 80)), "PNG"))
    found = run(dataclasses.replace(COMMANDS["propose"], again=()), folder, folder / "found")
    assert found.returncode == 0, found.stderr


def started(command: Command, inputs: Path, output: Path, *more: str, **options: Any) -> subprocess.Popen:
    """Starts the command, in a session of its own.

    Args:
        command, inputs, output: what is run on what.
        *more: further arguments.
        **options: of `subprocess.Popen`; variables of `env` are added to this process', empty ones are taken away.
    """
    places = {"inputs": inputs, "output": output}
    arguments = [argument.format(**places) for argument in (*command.arguments, *more)]
    line = [sys.executable, "-m", "tests.torture.small", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    environment = {**os.environ, **options.pop("env", {})}
    environment = {name: value for name, value in environment.items() if value}
    return subprocess.Popen(line, env=environment, **pipes, **options)


def run(command: Command, inputs: Path, output: Path, *more: str, **options: Any) -> subprocess.CompletedProcess:
    """The command from begin to end; raises AssertionError, and ends it, where it hangs."""
    process = started(command, inputs, output, *more, **options)
    out, err = ended(process)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def ended(process: subprocess.Popen) -> tuple[str, str]:
    """What a command has said at its end; raises AssertionError, and ends it, where it hangs."""
    try:
        return process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"hangs after {LIMIT} s: {' '.join(map(str, process.args))}") from None


def written(command: Command, output: Path) -> dict[str, str]:
    """Digests of the results below a folder, by their names (`digest`), without what is being written."""
    files = {path for pattern in command.results for path in output.glob(pattern) if path.is_file()}
    files = {path for path in files if _UNFINISHED not in str(path.relative_to(output))}
    return {str(path.relative_to(output)): digest(path) for path in sorted(files)}


def half_written(command: Command, output: Path, expected: dict[str, str]) -> str:
    """What a command that was stopped has left but should not have, in words; empty if nothing.

    What comes whole or not at all is there as expected or not at all; of other results each file can be read.
    """
    if not command.whole:
        files = [path for path in output.rglob("*") if path.is_file() and _UNFINISHED not in str(path)]
        return next((f"leaves {path}, half written: {wrong}" for path in files if (wrong := _damage(path))), "")
    left = written(command, output)
    if left and left != expected:
        wrong = [name for name, digest in left.items() if expected.get(name) != digest]
        return f"leaves {', '.join(wrong) or 'a part of its files'} in {output}"
    return ""


def _damage(path: Path) -> str:
    """What is wrong with a file of a kind that can be told to be whole, in words; logs grow line by line."""
    read = _READERS.get(path.suffix)
    try:
        if read:
            read(path)
    except Exception as error:  # each kind has its own
        return f"{type(error).__name__}: {error}"
    return ""


def _read_csv(path: Path) -> None:
    rows = list(csv.reader(path.read_text().splitlines(), strict=True))
    assert rows and {len(row) for row in rows} == {len(rows[0])} and path.read_text().endswith("\n")


def _read_svg(path: Path) -> None:
    ElementTree.parse(path)


def _read_image(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def _read_hdf5(path: Path) -> None:
    with h5py.File(path) as file:
        file.visititems(_bytes)


#: By suffix, what reads a file to its end.
_READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": _read_csv,
    ".h5": _read_hdf5,
    ".jpg": _read_image,
    ".json": lambda path: json.loads(path.read_text()),
    ".parquet": lambda path: pyarrow.parquet.read_table(path),
    ".png": _read_image,
    ".svg": _read_svg,
}


def digest(path: Path) -> str:
    """Of a file's bytes; of weights those of the arrays, of a model what it answers: their files have no order."""
    if path.suffix in (".onnx", ".tflite"):
        return _answer(ifcn_tf.load(path))
    if path.name == "saved_model.pb":
        return _answer(ifcn_tf.load_saved_model(path.parent))
    if path.suffix != ".h5":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    arrays = hashlib.sha256()
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update(_bytes(name, item)))
    return arrays.hexdigest()


def _answer(predictor: Any) -> str:
    found = predictor.propose(scene(0, (60, 80)))
    return hashlib.sha256(json.dumps(found.to_coco(1)).encode()).hexdigest()


def _bytes(name: str, item: Any) -> bytes:
    return name.encode() + (np.asarray(item).tobytes() if isinstance(item, h5py.Dataset) else b"")
