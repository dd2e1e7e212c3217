"""Writes an ONNX file that computes in integers of 8 bits, for OpenVINO, calibrated on photographs of yours.

python -m pipelines.quantize --onnx=ifcn.onnx --images=photos/ --output=ifcn_int8.onnx
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from ifcn_tf.results.folder import find_images

from . import _cli

ONNX = flags.DEFINE_string("onnx", None, "A file that `ifcn-tf export --format=onnx` wrote.", required=True)
IMAGES = flags.DEFINE_multi_string(
    "images", None, "Some 20 photographs like those to come: file, folder or quoted pattern.", required=True
)
OUTPUT = flags.DEFINE_string("output", None, "The .onnx file to write.", required=True)


def main() -> None:
    """Flags -> ONNX file, and how its maps and masks agree with those of the other one."""
    paths = find_images(*IMAGES.value)
    from ifcn_tf.engines.quantization import quantize

    print(f"quantising {ONNX.value} by {len(paths)} photographs into {OUTPUT.value}", flush=True)
    for name, correlation, same_sign in quantize(Path(ONNX.value), paths, Path(OUTPUT.value)):
        print(f"{name}: correlation {correlation:.4f}, {same_sign:.2%} of the values have the same sign")


if __name__ == "__main__":
    _cli.run(main)
