"""What tests of exported models share: a narrow network, photographs made here, and the loader that servers use."""

import contextlib
import functools
import io
import struct
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ifcn_tf.annotations.shapes import draw_scene
from ifcn_tf.benchmarks.session import Session
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.method import build_network
from ifcn_tf.saved_model.export import export
from ifcn_tf.saved_model.signatures import ServingConfig
from tests.support.tiny import TINY

SAMPLE = Path(__file__).parents[2] / "savedmodels" / "sample" / "coffee.jpg"
CONFIG = ProposerConfig(shorter_sides=(119, 178), num_proposals=20, mask_threshold=0.45, nms_iou=0.3, blend_cells=1)
MAX_PIXELS = 640 * 480


@functools.cache
def narrow_network():
    """Random weights, such that scores differ, masks have forms, and logits are as large as a trained network's."""
    network = build_network(TINY, "float32")
    rng = np.random.default_rng(0)
    for layer in (layer for layer in network.model.layers if layer.weights):
        gain = 0.3 if layer.name == "objectness_map" else 1.0
        deviations = [gain * (2 / np.prod(w.shape[:-1])) ** 0.5 for w in layer.get_weights()]
        layer.set_weights([rng.normal(0, d, w.shape) for d, w in zip(deviations, layer.get_weights(), strict=True)])
    return network


@functools.cache
def model_folder():
    """A folder with version 1, of logits and full masks; one for all tests of a process."""
    folder = tempfile.TemporaryDirectory()
    _kept.append(folder)
    serving = ServingConfig(full_masks=True, max_pixels=MAX_PIXELS)
    return export(narrow_network(), CONFIG, Path(folder.name), serving).parent


_kept = []


@functools.cache
def session():
    return Session(model_folder() / "1")


def scene(number, size_hw):
    """A made photograph, uint8 [H, W, 3]."""
    return np.asarray(Image.fromarray(draw_scene(np.random.default_rng(number))[0]).resize(size_hw[::-1]))


def encoded(image, kind="JPEG", **options):
    file = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(file, kind, **options)
    return file.getvalue()


#: Types of EXIF values that fit into an entry, and how `struct` calls them: BYTE, SHORT, LONG, SBYTE and so on.
EXIF_TYPES = {1: "B", 3: "H", 4: "L", 6: "b", 7: "B", 8: "h", 9: "l", 11: "f", 13: "L"}


def exif(orientation, order, kind=3):
    """A TIFF structure of two entries, the second one the orientation of a type; order is "<" or ">"."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    maker = struct.pack(order + "HHII", 0x010F, 2, 3, 0x41410000)
    value = struct.pack(order + EXIF_TYPES[kind], orientation).ljust(4, b"\0")
    entry = struct.pack(order + "HHI", 0x0112, kind, 1) + value
    return b"Exif\0\0" + head + struct.pack(order + "H", 2) + maker + entry + bytes(4)


@contextlib.contextmanager
def file_of(content, suffix):
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(content)
        file.flush()
        yield Path(file.name)
