"""Proposes the objects of photographs by asking a server that has an exported model; the files are those of propose.

python -m pipelines.request --server=localhost:8501 --images=photos/ --output=masks
python -m pipelines.request --server=localhost:8500 --protocol=grpc --images=photo.jpg --output=masks
"""

from __future__ import annotations

from typing import cast

from absl import flags

from ifcn_tf.images.files import MAX_PIXELS
from ifcn_tf.results.folder import in_this_process
from ifcn_tf.serving.client import ProtocolName, connect
from ifcn_tf.serving.transport import RequestConfig

from . import _cli, _images

SERVING = RequestConfig()
flags.adopt_module_key_flags(_images)  # so that --help lists them

SERVER = flags.DEFINE_string("server", None, "HOST:PORT of the server; https://HOST:PORT for TLS.", required=True)
PROTOCOL = flags.DEFINE_enum("protocol", "rest", ["rest", "grpc"], "REST (port 8501), or gRPC (8500), more compact.")
MODEL = flags.DEFINE_string("model", SERVING.model, "Name under which the server knows the model.")
VERSION = flags.DEFINE_integer("version", 0, "Version of the model; 0 takes the newest, for all images.", 0)
IN_FLIGHT = flags.DEFINE_integer("in_flight", 4, "Requests at once.", 1, 64)
TIMEOUT = flags.DEFINE_float("timeout", SERVING.timeout, "Longest wait for one answer [s].")
ATTEMPTS = flags.DEFINE_integer("attempts", SERVING.attempts, "Tries of a request, with growing pauses.", 1)
MAX_MB = flags.DEFINE_integer("max_mb", SERVING.max_message_bytes // 2**20, "Largest request or answer [MiB].", 1, 2047)
MAX_PIXEL_COUNT = flags.DEFINE_integer("max_pixels", MAX_PIXELS, "Larger images are refused [px].", 1)


def main() -> int:
    """Flags -> client -> files."""
    paths = _images.found()
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
    predictor = _images.prompted(client)
    return _images.propose(predictor, paths, in_this_process(predictor, IN_FLIGHT.value))


if __name__ == "__main__":
    _cli.run(main, _images.IMAGES)
