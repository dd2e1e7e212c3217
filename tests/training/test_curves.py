"""The picture of a run."""

import io
import json

import pytest
from PIL import Image

from ifcn_tf.training.curves import drawn


@pytest.mark.parametrize(("measured", "panels"), [({}, 1), ({"mask_iou": 0.5}, 2), ({"mask_iou": 0.5, "ar@10": 9}, 3)])
def test_a_panel_for_what_was_measured(tmp_path, measured, panels):
    lines = tmp_path / "metrics.jsonl"
    entries = [{"step": step, "loss": 1 / (step + 1), **(measured if step % 20 == 0 else {})} for step in range(90)]
    lines.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    width, height = Image.open(io.BytesIO(drawn(lines, {"IoU": "mask_iou", "recall": "ar@"}))).size
    assert width == pytest.approx(panels * 4.2 * 110, abs=3)
    assert height == pytest.approx(3.4 * 110, abs=3)
