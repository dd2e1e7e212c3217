"""The whole method as one LiteRT file (`.tflite`), for phones and small computers."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from ifcn_tf.common.files import UserError, atomic_write
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
    try:
        content = _converted(proposer)
    except Exception as error:  # the converter's own
        refused = re.search(r"TF Select ops: (.*)", str(error))
        reason = refused[1] if refused else str(error).splitlines()[0]
        raise UserError(f"{network.config.method} does what LiteRT has no operator for: {reason}.") from error
    with atomic_write(path, "wb") as file:
        file.write(_with_metadata(content, stored_settings(config)))


def _converted(proposer: Proposer) -> bytes:
    holder = tf.Module()
    holder.propose = proposer.compile()
    holder.weights = holder.propose.graph.variables  # a SavedModel has to find them
    with tempfile.TemporaryDirectory() as folder:  # only a SavedModel keeps the names of outputs
        tf.saved_model.save(holder, folder, signatures=holder.propose)
        return tf.lite.TFLiteConverter.from_saved_model(folder).convert()


def _with_metadata(content: bytes, settings: str) -> bytes:
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(settings.encode())
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata.append(entry)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
