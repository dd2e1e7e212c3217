"""Proposes the objects of photographs by asking a server that has an exported model; the files are those of propose.

python -m pipelines.request --server=localhost:8501 --images=photos/ --output=masks
python -m pipelines.request --server=localhost:8500 --protocol=grpc --images=photo.jpg --output=masks
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from absl import flags

from ifcn_tf.batch import find_images, propose_images, summary
from ifcn_tf.config import ShownConfig
from ifcn_tf.image_files import MAX_PIXELS
from ifcn_tf.serving.client import ProtocolName, connect
from ifcn_tf.serving.transport import RequestConfig
from pipelines import _cli

SHOWN, SERVING = ShownConfig(), RequestConfig()

SERVER = flags.DEFINE_string("server", None, "HOST:PORT of the server; https://HOST:PORT for TLS.", required=True)
IMAGES = flags.DEFINE_string("images", None, "Image file, folder of images, or quoted pattern.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder for proposals.json and overlays/.", required=True)
PROTOCOL = flags.DEFINE_enum("protocol", "rest", ["rest", "grpc"], "REST (port 8501), or gRPC (8500), more compact.")
MODEL = flags.DEFINE_string("model", SERVING.model, "Name under which the server knows the model.")
VERSION = flags.DEFINE_integer("version", 0, "Version of the model; 0 takes the newest, for all images.", 0)
IN_FLIGHT = flags.DEFINE_integer("in_flight", 4, "Requests at once.", 1, 64)
TIMEOUT = flags.DEFINE_float("timeout", SERVING.timeout, "Longest wait for one answer [s].")
ATTEMPTS = flags.DEFINE_integer("attempts", SERVING.attempts, "Tries of a request, with growing pauses.", 1)
MAX_MB = flags.DEFINE_integer("max_mb", SERVING.max_message_bytes // 2**20, "Largest request or answer [MiB].", 1, 2047)
FORMAT = flags.DEFINE_multi_enum("format", [], ["binary_masks", "csv", "labelme"], "Further output; may be repeated.")
RESUME = flags.DEFINE_bool("resume", False, "Skip images that an earlier run with the same settings finished.")
COUNT = flags.DEFINE_integer("distinct", SHOWN.count, "Proposals shown: the best ones that hardly overlap.")
MIN_SCORE = flags.DEFINE_float("min_score", SHOWN.min_score, "Proposals shown: of this score or more.")
MAX_PIXEL_COUNT = flags.DEFINE_integer("max_pixels", MAX_PIXELS, "Larger images are refused [px].", 1)


def main() -> int:
    """Flags -> client -> files."""
    paths, folder = find_images(IMAGES.value), Path(OUTPUT.value)
    print(f"asking {SERVER.value} for masks of {len(paths)} image(s) of {IMAGES.value} into {folder}", flush=True)
    if PROTOCOL.value == "grpc":
        _cli.import_tensorflow()
    client = connect(
        SERVER.value,
        cast(ProtocolName, PROTOCOL.value),
        MAX_PIXEL_COUNT.value,
        model=MODEL.value,
        version=VERSION.value,
        timeout=TIMEOUT.value,
        attempts=ATTEMPTS.value,
        max_message_bytes=MAX_MB.value * 2**20,
    ).pinned()
    shown = ShownConfig(COUNT.value, MIN_SCORE.value)
    failures = propose_images(client, paths, folder, FORMAT.value, shown, RESUME.value, IN_FLIGHT.value)
    print(summary(folder, len(paths), failures))
    return 1 if failures else 0


if __name__ == "__main__":
    _cli.run(main)
