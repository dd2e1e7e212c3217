"""Who may import whom: the table of WORKSPACE.md, read from the imports themselves."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("ifcn_tf", "pipelines") for path in (ROOT / folder).rglob("*.py"))

#: What each module of the library may import from it; modules that are not named may import anything below `pipelines`.
MAY_IMPORT = {
    "files": set(),
    "geometry": set(),
    "masks": {"geometry"},
    "settings": {"files"},
    "config": {"settings"},
    "train_config": {"config", "geometry", "settings"},
    "image_files": {"files"},
    "images": {"image_files"},
    "ids": set(),
    "model": {"model", "config", "train_config", "files", "geometry"},
    "ranking": {"config", "masks"},
    "proposer": {"config", "geometry", "images", "masks", "ranking"},
    "numpy_images": {"image_files"},
    "numpy_proposer": {"config", "geometry", "masks", "numpy_images"},
    "onnx_predictor": {"config", "files", "image_files", "numpy_proposer", "proposals"},
    "proposals": {"config", "masks"},
    "decoding": {"images"},
    "guard": set(),
    "full_masks": {"guard"},
    "serving_graph": {"config", "decoding", "full_masks", "guard", "images", "predictor", "proposer", "settings"},
    "warm_up": {"data", "files"},
    "saved_proposer": {"config", "files", "masks", "proposer"},
    "export": {"config", "files", "predictor", "saved_proposer", "serving_graph", "settings", "warm_up"},
    "weights": {"config", "files", "settings"},
    "visualize": {"proposals", "geometry", "masks"},
    "output": {"files", "ids", "proposals", "visualize"},
    "batch": {"config", "files", "ids", "output", "proposals"},
    "serving": {"files", "image_files", "masks", "proposals", "serving", "serving_grpc", "settings"},
    "serving_grpc": {"files", "serving"},
    "results": {"evaluation", "files", "ids", "masks"},
    "evaluate": {"config", "evaluation", "ids", "results"},
    "plots": {"evaluation", "files"},
    "evaluation": {
        *("config", "data", "evaluate", "evaluation", "files", "ids", "image_files", "masks", "plots", "results"),
        "visualize",
    },
}
#: Parts that light clients and evaluation use: they must not pull in TensorFlow.
WITHOUT_TENSORFLOW = (
    *("files", "ids", "geometry", "masks", "settings", "config", "proposals", "visualize", "output", "batch"),
    *("results", "evaluate", "plots", "evaluation", "image_files", "serving"),
    *("numpy_images", "numpy_proposer", "onnx_predictor"),
)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if node.module != "ifcn_tf" else f"ifcn_tf.{node.names[0].name}"


def room(path):
    return path.relative_to(ROOT / "ifcn_tf").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_keep_to_the_map(path):
    names = set(imports(path))
    in_library = path.is_relative_to(ROOT / "ifcn_tf")
    if in_library:
        assert not {name for name in names if name.startswith(("absl", "pipelines"))}
        own = {name.split(".")[1] for name in names if name.startswith("ifcn_tf.")}
        assert own <= MAY_IMPORT.get(room(path), own)
        if room(path) in WITHOUT_TENSORFLOW:
            assert not {name for name in names if name.split(".")[0] in ("tensorflow", "keras")}
    else:
        assert not {name for name in names if name.startswith("pipelines.")}


def test_light_clients_load_no_tensorflow():
    modules = "ifcn_tf.batch, ifcn_tf.serving, ifcn_tf.serving.rest, pipelines.request, sys"
    program = f"import {modules}; print({{'tensorflow', 'keras', 'grpc'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_requirements_name_everything_that_is_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = (ROOT / "requirements.txt").read_text().splitlines()
    stated += [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    packages = {match[0] for line in stated if (match := re.match(r"[a-z][a-z0-9-]*", line))}
    top = {name.split(".")[0] for path in SOURCES for name in imports(path)}
    ours = {"ifcn_tf", "pipelines", *sys.stdlib_module_names}
    package_of = {
        "absl": "absl-py",
        "PIL": "pillow",
        "grpc": "grpcio",
        "tensorflow_serving": "tensorflow-serving-api",
    }
    assert {package_of.get(name, name) for name in top - ours} <= packages
