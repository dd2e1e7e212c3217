"""How long a visitor of the page waits for the masks of a photograph, in a browser on this machine."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ifcn_tf.benchmarks.browser import chromium
from ifcn_tf.benchmarks.inference import SIZE_HW, resized
from ifcn_tf.images.tensors import read_image
from ifcn_tf.predictor import Predictor

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Between two looks at whether the masks are there [ms].
_POLL_MS = 10
#: A page that was just opened still sets itself up [s].
_SETTLED = 2


def run(predictor: Predictor, photograph: Path, rounds: int) -> Iterator[dict[str, Any]]:
    """Drops a photograph of 480 x 640 px on the page, each time as a new visitor.

    Args:
        predictor: proposes.
        photograph: resized to 480 x 640 and dropped as a JPEG.
        rounds: how many visitors come, one after the other.

    Yields:
        One row of JSON types: from dropping to masks [ms], median, shortest and longest.

    Raises:
        UserError: browser or page are not installed.
    """
    from ifcn_tf.web.page import Page as Shown  # here, since it needs Gradio
    from ifcn_tf.web.serving import served, warm_up

    shown = Shown(predictor.propose)
    warm_up(shown)
    count = predictor.config.num_proposals
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, served(shown, count, "127.0.0.1", None) as url:
        file = Path(folder) / "photograph.jpg"
        Image.fromarray(resized(read_image(photograph), SIZE_HW)).save(file, quality=92)
        waits = [_wait(browser.new_page(), url, file) for _ in range(rounds)]
    figures = {"ms": statistics.median(waits), "shortest_ms": min(waits), "longest_ms": max(waits)}
    yield {"page": "from dropping a photograph to its masks"} | {name: round(ms, 1) for name, ms in figures.items()}


def _wait(page: Page, url: str, file: Path) -> float:
    """How long the masks of a file take [ms]."""
    page.goto(url)
    page.wait_for_selector("#photographs input[type=file]", state="attached")
    time.sleep(_SETTLED)
    start = time.perf_counter()
    page.set_input_files("#photographs input[type=file]", str(file))
    page.wait_for_function("document.querySelector('#stage path[data-mask]')", polling=_POLL_MS)
    wait = 1000 * (time.perf_counter() - start)
    page.close()
    return wait
