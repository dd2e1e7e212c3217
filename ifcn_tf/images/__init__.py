"""Images: files without TensorFlow, and tensors."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "read_image":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ifcn_tf.images.tensors import read_image  # loads TensorFlow

    return read_image
