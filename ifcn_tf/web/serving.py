"""Serving the page, at an address of this machine unless asked otherwise."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.web.page import Page, build, gr

#: Larger files are refused [bytes].
MAX_FILE_BYTES = 20 * 2**20
#: One that comes with Gradio; in the weight 600, its own choice for bold, next to no letters do.
_FONT = gr.themes.LocalFont("Source Sans Pro", weights=(400, 700))


def warm_up(page: Page) -> float:
    """Proposes masks of a made photograph of 480 x 640 px twice, and says how long the second time takes [s]."""
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    page.propose(image)
    start = time.perf_counter()
    page.propose(image)
    return time.perf_counter() - start


@contextlib.contextmanager
def served(page: Page, count: int, host: str, port: int | None, share: bool = False) -> Iterator[str]:
    """Serves a page while the block runs; uploads are in a folder that is then removed.

    Args:
        page: what is served.
        count: proposals of a photograph at most.
        host: address of this machine that is listened at, such as 127.0.0.1 (itself only) or 0.0.0.0 (its network).
        port: None takes the first free one from 7860 on.
        share: also at a public address, through Gradio's servers.

    Yields:
        The address, the public one if there is one.

    Raises:
        UserError: the port is not free, or no public address can be had.
    """
    with tempfile.TemporaryDirectory(prefix="ifcn-web-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        blocks = build(page, count)
        try:
            _launch(blocks, host, port, share)
            yield blocks.share_url if share else blocks.local_url
        finally:
            blocks.close(verbose=False)


def _launch(blocks: gr.Blocks, host: str, port: int | None, share: bool) -> None:
    try:
        blocks.launch(
            server_name=host,
            server_port=port,
            share=share,
            max_file_size=MAX_FILE_BYTES,
            theme=gr.themes.Default(primary_hue="blue", font=_FONT),
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            prevent_thread_lock=True,
            quiet=True,
        )
    except OSError as error:
        raise UserError(f"cannot serve at {host}:{port or 'any port'}: choose another --port or --host.") from error
    if share and not blocks.share_url:
        raise UserError("no shareable address could be had from gradio: leave --share out.")
