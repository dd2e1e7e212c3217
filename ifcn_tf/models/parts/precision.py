"""Which arithmetic the convolutions use."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.common.processor import bfloat16_instructions
from ifcn_tf.config.network import Precision


def dtype_policy(precision: Precision) -> str:
    """Keras dtype policy for a precision; with "auto" bfloat16 where this machine computes it fast.

    Weights are float32 under either policy.
    """
    if precision == "auto":
        precision = "bfloat16" if fast_bfloat16()[0] else "float32"
    if precision not in ("float32", "bfloat16"):
        raise UserError(f"precision must be auto, float32 or bfloat16, not {precision}.")
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def fast_bfloat16() -> tuple[bool, str]:
    """Whether this machine computes bfloat16 fast, and what says so."""
    # The processor decides, whatever the trunk. Six scales in bfloat16 take, of the time in float32: with AVX-512 BF16
    # (two cores of Zen 5) .55 on EfficientNet-Lite2 and .45 on VGG-16; without it (a Xeon with AVX-512) 1.5.
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:  # NVIDIA's Ampere (compute capability 8.0) brought bfloat16 tensor cores.
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        lowest = min(device.get("compute_capability", (0, 0)) for device in details)
        return lowest >= (8, 0), f"GPU of compute capability {lowest[0]}.{lowest[1]}, 8.0 has it"
    found, reason = bfloat16_instructions()
    return bool(found), reason
