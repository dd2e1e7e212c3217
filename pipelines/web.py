"""Shows a page in the browser: drop a photograph, point at its objects, download the masks that you take.

ifcn-tf web
ifcn-tf web --port=8080 --model=vgg16
ifcn-tf web --server=localhost:8501
ifcn-tf web --onnx=ifcn.onnx
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from absl import flags

from ifcn_tf.common.files import UserError

from . import _classes, _cli, _engine, _network

if TYPE_CHECKING:
    from ifcn_tf.web.visits import Propose

flags.adopt_module_key_flags(_classes)  # so that --help lists them
flags.adopt_module_key_flags(_engine)
flags.adopt_module_key_flags(_network)

SERVER = flags.DEFINE_string("server", None, "Instead of --model: HOST:PORT of a model server's REST interface.")
HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to listen at: 0.0.0.0 lets other machines see the page.")
PORT = flags.DEFINE_integer("port", None, "Port to listen at; the first free one from 7860 on.", 1, 65535)
SHARE = flags.DEFINE_bool("share", False, "Also at a public address that anyone can open, through gradio's servers.")

#: Proposals of a photograph, unless --num_proposals says otherwise, and at most of a server: more is slow to draw.
_COUNT = 200


def main() -> None:
    """Flags -> network or server -> page, until it is interrupted."""
    _cli.bound_memory()
    from ifcn_tf.web.page import Page
    from ifcn_tf.web.serving import served, warm_up

    propose, count = _of_server(SERVER.value) if SERVER.value else _of_network()
    page = Page(propose, _network.MAX_PIXELS.value)
    print(f"ready: {warm_up(page):.2f} s for a photograph of 480 x 640 px", flush=True)
    with served(page, count, HOST.value, PORT.value, SHARE.value) as address:
        print(f"the page is at {address} until you press Ctrl-C", flush=True)
        threading.Event().wait()


def _of_network() -> tuple[Propose, int]:
    """What proposes here, and how many masks at most."""
    predictor = _engine.predictor(num_proposals=_COUNT)
    print(f"engine: {predictor.engine}", flush=True)
    return predictor.propose, predictor.config.num_proposals


def _of_server(server: str) -> tuple[Propose, int]:
    """What asks a server that has an exported model, and how many masks at most; loads no TensorFlow."""
    others = (*_engine.FILES, _engine.ENGINE, _classes.CLASSIFY)
    given = [*_network.given(), *(flag.name for flag in others if flag.present)]
    if fixed := [name for name in given if name != _network.MAX_PIXELS.name]:
        raise UserError(f"--server has a model with its own {fixed[0]}: leave --{fixed[0]} out.")
    from ifcn_tf.serving import connect

    client = connect(server, max_pixels=_network.MAX_PIXELS.value)
    return lambda image: client.propose(image)[:_COUNT], _COUNT


if __name__ == "__main__":
    _cli.run(main)
