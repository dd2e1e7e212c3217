"""The whole method as one LiteRT file (`.tflite`), for phones and small computers."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from ifcn_tf.common.files import UserError, atomic_write, naming, unfinished_folder
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.exporting import require_float32, stored_settings
from ifcn_tf.engines.predictor import METADATA
from ifcn_tf.images.tensors import resize_by_products
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.proposing.network import network_proposer
from ifcn_tf.proposing.proposer import Proposer


def export_litert(network: WindowMethod, config: ProposerConfig, path: Path) -> None:
    """Writes a float32 network with all that is done before and after it, in LiteRT's own operators.

    The file's only signature maps image uint8 [H, W, 3], RGB, of any size, to what `Proposer.__call__` returns.

    Raises:
        UserError: the network computes in another precision or does what LiteRT cannot, or the file cannot be written.
    """
    require_float32(network, "a LiteRT")
    # LiteRT has no arithmetic of 64 bits.
    proposer = dataclasses.replace(network_proposer(network, config), resize=resize_by_products, size_type=tf.int32)
    with naming(path), unfinished_folder(path.parent) as folder:  # only a SavedModel keeps the names of outputs
        _save(proposer, folder, path)
        content = _converted(folder, network.config.method)
    with atomic_write(path, "wb") as file:
        file.write(_with_metadata(content, stored_settings(config)))


def _save(proposer: Proposer, folder: Path, path: Path) -> None:
    holder = tf.Module()
    holder.propose = proposer.compile()
    holder.weights = holder.propose.graph.variables  # a SavedModel has to find them
    try:
        tf.saved_model.save(holder, str(folder), signatures=holder.propose)
    except tf.errors.OpError as error:  # such as a full disk
        reason = f"its SavedModel beside it: {error.message}"
        raise UserError(f"cannot write {path}, {reason}; free some space or choose another place.") from error


def _converted(folder: Path, method: str) -> bytes:
    try:
        return tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()
    except Exception as error:  # the converter's own
        refused = re.search(r"TF Select ops: (.*)", str(error))
        reason = refused[1] if refused else str(error).splitlines()[0]
        raise UserError(f"{method} does what LiteRT has no operator for: {reason}.") from error


def _with_metadata(content: bytes, settings: str) -> bytes:
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(settings.encode())
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata.append(entry)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
