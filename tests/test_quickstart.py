"""The notebook, run from the first cell to the last."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The notebook in a clone of nothing but what it needs, with the commands of this environment."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "savedmodels").symlink_to(ROOT / "savedmodels")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    return Path(shutil.copy(NOTEBOOK, tmp_path / "docs"))


def test_the_notebook_runs_whole(copied):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install '.[dev]'")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install '.[dev]'")
    import nbformat

    notebook = nbformat.read(copied, as_version=4)
    nbclient.NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": copied.parent}}).execute()
    written = copied.parent / "quickstart"
    annotations = json.loads((written / "annotations.json").read_text())
    assert len(annotations["images"]) == 6 and len(annotations["annotations"]) >= 6
    steps = [json.loads(line) for line in (written / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps[-1]["step"] == 50
    before, after = (json.loads((written / f"{name}.json").read_text()) for name in ("before", "after"))
    assert {entry["image_id"] for entry in after} == {path.stem for path in (ROOT / "savedmodels/sample").glob("*.jpg")}
    assert after != before
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == 6 + 1 + 1
    table = "".join(output.get("text", "") for output in notebook.cells[-2].outputs)
    assert "before" in table and "after" in table


def test_the_notebook_is_committed_without_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
