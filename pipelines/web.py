"""Shows a page in the browser: drop a photograph, point at its objects, download the masks that you take.

ifcn-tf web
ifcn-tf web --port=8080 --model=vgg16
ifcn-tf web --onnx=ifcn.onnx
"""

from __future__ import annotations

import threading

from absl import flags

from . import _cli, _engine, _network

flags.adopt_module_key_flags(_engine)  # so that --help lists them
flags.adopt_module_key_flags(_network)

HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to listen at: 0.0.0.0 lets other machines see the page.")
PORT = flags.DEFINE_integer("port", None, "Port to listen at; the first free one from 7860 on.", 1, 65535)
SHARE = flags.DEFINE_bool("share", False, "Also at a public address that anyone can open, through gradio's servers.")

#: Proposals of a photograph, unless --num_proposals says otherwise: more is slow to draw.
_COUNT = 200


def main() -> None:
    """Flags -> predictor -> page, until it is interrupted."""
    _cli.bound_memory()
    from ifcn_tf.web.page import Page
    from ifcn_tf.web.serving import served, warm_up

    predictor = _engine.predictor(num_proposals=_COUNT)
    print(f"engine: {predictor.engine}", flush=True)
    page = Page(predictor.propose, _network.MAX_PIXELS.value)
    print(f"ready: {warm_up(page):.2f} s for a photograph of 480 x 640 px", flush=True)
    with served(page, predictor.config.num_proposals, HOST.value, PORT.value, SHARE.value) as address:
        print(f"the page is at {address} until you press Ctrl-C", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    _cli.run(main)
