"""The lines of JavaScript in docs/engines.md, run as they stand there by onnxruntime-web in a real browser."""

import base64
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.benchmarks.browser import chromium
from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.onnx_export import export_onnx
from ifcn_tf.engines.onnx_predictor import OnnxPredictor
from tests.support.exported import narrow_network, scene

DOCUMENT = Path(__file__).parents[2] / "docs" / "engines.md"
CONFIG = ProposerConfig(shorter_sides=(60, 110), num_proposals=20, pre_nms=150, nms_iou=0.9, edge_samples=2)
#: A folder of the files that onnxruntime-web comes with.
FILES = "IFCN_ONNXRUNTIME_WEB"
ADDRESS = "http://page.test/"
#: Draws a picture on a canvas, runs the lines, and hands out what they find.
PAGE = """async (picture) => {{
  ort.env.wasm.numThreads = 1;
  const drawn = new Image();
  drawn.src = picture;
  await drawn.decode();
  const canvas = document.createElement("canvas");
  canvas.width = drawn.width;
  canvas.height = drawn.height;
  canvas.getContext("2d").drawImage(drawn, 0, 0);
  {lines}
  const found = {{ scores, windows_yxyx, mask_logits }};
  return Object.fromEntries(Object.entries(found).map(([name, {{ data, dims }}]) => [name, [Array.from(data), dims]]));
}}"""


@pytest.fixture
def visit():
    """A page of the browser that finds files by their names in the folders that it is given."""
    pytest.importorskip("playwright", reason="playwright is not installed: pip install '.[browser]'")
    runtime = os.environ.get(FILES)
    if not runtime:
        pytest.skip(f"needs onnxruntime-web: npm install onnxruntime-web, {FILES}=node_modules/onnxruntime-web/dist")
    try:
        with chromium() as browser:
            page = browser.new_page()
            page.set_default_timeout(60_000)
            yield page, Path(runtime)
    except UserError as error:
        pytest.skip(str(error))


def test_the_lines_of_the_document_find_the_same(visit, tmp_path):
    page, runtime = visit
    export_onnx(narrow_network(), CONFIG, tmp_path / "ifcn.onnx")
    (tmp_path / "index.html").write_text('<script src="ort.wasm.min.js"></script>')
    page.route(f"{ADDRESS}**", lambda route: _answer(route, [tmp_path, runtime]))
    page.goto(f"{ADDRESS}index.html")
    (lines,) = re.findall(r"```js\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    image = scene(1, (97, 61))
    found = page.evaluate(PAGE.format(lines=lines), _data_url(image))
    expected = OnnxPredictor(tmp_path / "ifcn.onnx")._run(image)
    assert len(expected["scores"]) > 2
    for name, (values, dims) in found.items():
        np.testing.assert_allclose(np.reshape(values, dims), expected[name], rtol=1e-3, atol=1e-2, err_msg=name)


def _answer(route, folders):
    """Sends the file of a request's name from the first folder that has it."""
    name = route.request.url.removeprefix(ADDRESS)
    found = [folder / name for folder in folders if (folder / name).is_file()]
    route.fulfill(path=found[0]) if found else route.abort()


def _data_url(image):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
