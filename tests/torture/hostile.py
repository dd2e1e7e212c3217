"""Input made to do harm: it is refused by one sentence, runs no code, and writes nothing outside of the output."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ifcn_tf.annotations.example import Source
from ifcn_tf.annotations.sources import open_source
from ifcn_tf.benchmarks.timing import peak_bytes
from ifcn_tf.common.files import UserError
from ifcn_tf.config.files import read_sections
from ifcn_tf.data.prepare import Report, coco_writer
from ifcn_tf.data.records import Records
from ifcn_tf.evaluation.truth import read_coco
from ifcn_tf.images.tensors import read_image
from ifcn_tf.models.weights import read_network_config
from ifcn_tf.proposing.network import load_network
from ifcn_tf.results.reader import read_results
from ifcn_tf.results.run_file import read_run_file
from tests.torture.kinds import KINDS

_MEMORY = 2 * 2**30
_DEEP = 100_000
_NAMES = (
    "../outside.jpg",
    "/tmp/outside.jpg",
    "a/../../outside.jpg",
    "nul\0.jpg",
    "",
    ".",
    "..",
    "C:\\outside.jpg",
    "~/x.jpg",
)


class _Escape:
    """What runs code where it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.open, (str(self._proof), os.O_CREAT)


def campaign(folder: Path) -> Iterator[str]:
    """Tries everything; yields what went wrong."""
    for name, case in _CASES.items():
        (folder / name).mkdir(parents=True)
        try:
            wrong = case(folder / name)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            yield f"{name}: {wrong}"
    if peak_bytes() > _MEMORY:
        yield f"{peak_bytes() / 2**30:.1f} GiB of memory"


def _refusal(read: Callable[[], object], *said: str) -> str | None:
    try:
        read()
    except UserError as error:
        return next((f"does not say {text!r}: {error}" for text in said if text not in str(error)), None)
    return "is not refused"


def _png_of_huge_sides(folder: Path) -> str | None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(10**7))
    path = folder / "huge.png"
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return _refusal(lambda: read_image(path), "huge.png", "over the limit")


def _deep(read: Callable[[Path], object], before: str, after: str, folder: Path) -> str | None:
    path = folder / "deep.json"
    path.write_text(before + "[" * _DEEP + "]" * _DEEP + after)
    return _refusal(lambda: read(path), "deep.json")


def _yaml_bomb(folder: Path) -> str | None:
    """Lists of lists of lists, ten billion entries in all, in ten lines."""
    path = folder / "bomb.yaml"
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path.write_text("\n".join(["model:", *(f"  {line}" for line in lines)]))
    return _refusal(lambda: read_sections(path, ["model"]), "bomb.yaml", "aliases")


def _deep_labelme(folder: Path) -> str | None:
    KINDS["labelme"]().make(folder)
    (folder / "one.json").write_text('{"shapes": ' + "[" * _DEEP + "]" * _DEEP + "}")
    loaded = next(iter(open_source("labelme", folder, "train").jobs))()
    said = " ".join(problem.where for problem in loaded.problems)
    return None if loaded.example is None and "one.json" in said else f"is not left out: {said}"


def _names(folder: Path) -> str | None:
    """Photographs of a COCO json whose names lead elsewhere; there are files at these places."""
    (folder / "set").mkdir()
    KINDS["coco"]().make(folder / "set")
    truth = json.loads((folder / "set" / "truth.json").read_text())
    photograph = folder / "set" / "train" / truth["images"][0]["file_name"]
    (folder / "set" / "outside.jpg").write_bytes(photograph.read_bytes())
    before = _tree(folder)
    for number, name in enumerate(_NAMES):
        truth["images"][0]["file_name"] = name
        (folder / "set" / "truth.json").write_text(json.dumps(truth))
        output = folder / f"output{number}"
        try:
            source = open_source(
                "coco", folder, "", annotations=folder / "set" / "truth.json", images=folder / "set" / "train"
            )
            examples = [loaded.example for loaded in (job() for job in source.jobs) if loaded.example is not None]
            coco_writer(source, output / "new.json", output / "images")(examples, Report())
        except UserError:
            examples = []
        if len(examples) > 1:
            return f"reads {name!r}"
        strange = {path for path in _tree(folder) - before if folder / f"output{number}" not in (path, *path.parents)}
        if strange - {output}:
            return f"{name!r} writes {sorted(map(str, strange))}"
        before = _tree(folder)
    return None


def _tree(folder: Path) -> set[Path]:
    return {*folder.rglob("*"), *folder.parent.glob("*.jpg")}


def _link_in_output(folder: Path) -> str | None:
    """A file of the output that is a link is replaced, and what it leads to stays."""
    target, output = folder / "target", folder / "output"
    target.write_text("precious")
    output.mkdir()
    (output / "new.json").symlink_to(target)
    (folder / "set").mkdir()
    KINDS["coco"]().make(folder / "set")
    source = _opened(folder / "set")
    wrong = _refusal(lambda: coco_writer(source, output / "new.json")([], Report()))
    return wrong or (None if target.read_text() == "precious" else "writes through a link")


def _opened(folder: Path) -> Source:
    return open_source("coco", folder, "", annotations=folder / "truth.json", images=folder / "train")


def _bomb(folder: Path) -> str | None:
    """Arrays of 16 GiB in a file of a few bytes, as weights of a trunk."""
    path = folder / "bomb.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,), }"
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb, bomb.open("stem_conv.npy", "w") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(10**7))
    return _refusal(lambda: load_network(backbone_weights=str(path), trunk="efficientnet_lite2"), "bomb.npz")


def _pickled_index(folder: Path) -> str | None:
    KINDS["records"]().make(folder)
    np.save(folder / "prepared" / "index.npy", np.array([_Escape(folder / "proof")], object), allow_pickle=True)
    wrong = _refusal(lambda: Records.open([folder / "prepared"]), "index.npy")
    return wrong or ("runs code" if (folder / "proof").exists() else None)


def _as_weights(make: Callable[[Path], bytes], folder: Path) -> str | None:
    """A file of other kind in the place of weights, which `config.json` beside it vouches for."""
    KINDS["weights"]().make(folder)
    path, proof = folder / "run" / "model.weights.h5", folder / "proof"
    path.write_bytes(make(proof))
    record = json.loads((folder / "run" / "config.json").read_text())
    record["weights"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "run" / "config.json").write_text(json.dumps(record))
    wrong = _refusal(lambda: load_network(path), "model.weights.h5")
    return wrong or ("runs code" if proof.exists() else None)


def _pickle(proof: Path) -> bytes:
    return pickle.dumps(_Escape(proof))


def _model_with_code(suffix: str, proof: Path) -> bytes:
    """A whole Keras model with a layer of any code, which runs where the model is trusted."""
    import keras

    path = proof.with_name("model" + suffix)
    place = str(proof)  # a model keeps texts, and no names but builtin ones
    layer = keras.layers.Lambda(lambda x: (open(place, "w").close(), x)[1])  # noqa: PTH123
    keras.Sequential([keras.Input([1]), layer]).save(path)
    proof.unlink(missing_ok=True)
    keras.saving.load_model(path, safe_mode=False)
    assert proof.exists(), "code that does not run would prove nothing"
    proof.unlink()
    return path.read_bytes()


_CASES: dict[str, Callable[[Path], str | None]] = {
    "png_of_huge_sides": _png_of_huge_sides,
    "deep_results": functools.partial(_deep, lambda path: read_results(str(path), {}), "[", "]"),
    "deep_truth": functools.partial(_deep, read_coco, '{"images": ', "}"),
    "deep_coco": functools.partial(
        _deep, lambda path: open_source("coco", path.parent, "", annotations=path), '{"images": [{"id": ', "}]}"
    ),
    "deep_network": functools.partial(_deep, lambda path: read_network_config(path), '{"model": ', "}"),
    "deep_settings": functools.partial(_deep, lambda path: read_sections(path, ["model"]), '{"model": ', "}"),
    "deep_run": functools.partial(_deep, read_run_file, '{"proposer": ', "}"),
    "deep_labelme": _deep_labelme,
    "yaml_bomb": _yaml_bomb,
    "names": _names,
    "link_in_output": _link_in_output,
    "bomb": _bomb,
    "pickled_index": _pickled_index,
    "pickle_as_weights": functools.partial(_as_weights, _pickle),
    "model_with_code": functools.partial(_as_weights, functools.partial(_model_with_code, ".keras")),
    "older_model_with_code": functools.partial(_as_weights, functools.partial(_model_with_code, ".h5")),
}
