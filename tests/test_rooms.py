"""Who may import whom: the table of WORKSPACE.md, read from the imports themselves."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "ifcn_tf"
SOURCES = sorted(path for folder in ("ifcn_tf", "pipelines") for path in (ROOT / folder).rglob("*.py"))
MODULES = [path for path in SOURCES if path.is_relative_to(LIBRARY)]


class Room(NamedTuple):
    imports: set[str]
    tensorflow: str


def table():
    """The rows of the map by the name of the room."""
    rows = re.findall(r"^\| `(\S+)` \| .* \| (.*) \| (.*) \|$", (ROOT / "WORKSPACE.md").read_text(), re.MULTILINE)
    return {name: Room(set(re.findall(r"`(.+?)`", imports)), tensorflow) for name, imports, tensorflow in rows}


TABLE = table()


def room_of(path):
    """The folder that a module is in, else the module itself."""
    name = path.relative_to(LIBRARY)
    return name.name if len(name.parts) == 1 else f"{name.parent.as_posix()}/"


def loads_tensorflow(path):
    return TABLE[room_of(path)].tensorflow == "all" or f"`{path.name}`" in TABLE[room_of(path)].tensorflow


def modules_of(path, on_load=False):
    """The files of this library that a module imports, or those that it needs to be loaded."""
    for name in imports(path, on_load):
        parts = name.split(".")
        for end in range(len(parts), 1, -1) if parts[0] == "ifcn_tf" else ():
            base = ROOT.joinpath(*parts[:end])
            if found := [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.exists()]:
                yield found[0]
                break


def imports(path, on_load=False):
    module = ast.parse(path.read_text())
    for node in nodes_on_load(module) if on_load else ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = [*path.relative_to(ROOT).parts[: -node.level]] if node.level else []
            home = ".".join([*package, *filter(None, [node.module])])
            yield from (f"{home}.{alias.name}" for alias in node.names)


def nodes_on_load(node):
    """Everything but what stands in functions, and what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        ):
            continue
        yield child
        yield from nodes_on_load(child)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_keep_to_the_map(path):
    names, room = set(imports(path)), room_of(path)
    assert not {name for name in names if name.startswith(("absl", "pipelines"))}
    assert {room_of(module) for module in modules_of(path)} <= {room, *TABLE[room].imports}
    if not loads_tensorflow(path):
        assert not {name for name in names if name.split(".")[0] in ("tensorflow", "keras", "tensorflow_serving")}


def test_what_a_light_module_needs_is_light():
    heavy = [
        (str(path.relative_to(ROOT)), str(module.relative_to(ROOT)))
        for path in MODULES
        for module in modules_of(path, on_load=True)
        if not loads_tensorflow(path) and loads_tensorflow(module)
    ]
    assert not heavy


def test_every_room_has_a_row_and_every_row_a_room():
    assert set(TABLE) == {room_of(path) for path in MODULES}


def test_no_room_names_another_in_vain():
    needed = {room: set() for room in TABLE}
    for path in MODULES:
        needed[room_of(path)] |= {room_of(module) for module in modules_of(path)} - {room_of(path)}
    assert {room: row.imports for room, row in TABLE.items()} == needed


def test_rooms_import_in_one_direction():
    order = graphlib.TopologicalSorter({room: row.imports for room, row in TABLE.items()})
    assert len(list(order.static_order())) == len(TABLE)


def test_networks_know_neither_data_nor_training():
    for room in (room for room in TABLE if room.startswith("models/")):
        assert not TABLE[room].imports & {"data/", "training/", "annotations/", "results/"}


def test_only_models_name_a_network():
    names = re.compile(r"instance_fcn|vgg|block[0-9]_|conv2d")
    rooms = ("training/", "proposing/", "saved_model/", "engines/", "data/", "benchmarks/")
    assert not [str(path) for path in MODULES if room_of(path) in rooms and names.search(path.read_text())]


def test_commands_import_each_other_never():
    commands = [path for path in SOURCES if path.parent.name == "pipelines" and not path.name.startswith("_")]
    shared = {f"pipelines.{path.stem}" for path in SOURCES if path.parent.name == "pipelines"} - {
        f"pipelines.{path.stem}" for path in commands
    }
    for path in commands:
        assert {name for name in imports(path) if name.startswith("pipelines.")} <= shared


def test_light_clients_load_no_tensorflow():
    modules = "ifcn_tf.results.folder, ifcn_tf.serving, ifcn_tf.serving.rest, pipelines.request, sys"
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
        "ai_edge_litert": "ai-edge-litert",
        "PIL": "pillow",
        "cv2": "opencv-contrib-python-headless",
        "grpc": "grpcio",
        "tensorflow_serving": "tensorflow-serving-api",
        "yaml": "pyyaml",
    }
    assert {package_of.get(name, name) for name in top - ours} <= packages


def test_tensorboard_and_plots_are_part_of_every_installation():
    """A run logs by `tf.summary`, whose code is TensorBoard's; nothing imports the plug-in that shows its profile."""
    required = {line.partition(">")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    assert {"matplotlib", "tensorboard", "tensorboard-plugin-profile"} <= required


def test_no_extra_is_declared_in_vain():
    """The code names what each brings, but for other builds of what is required (gpu) and tools of tests."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    modules = {
        "ai-edge-litert": "ai_edge_litert",
        "grpcio": "grpc",
        "opencv-contrib-python-headless": "cv2",
        "tensorflow-serving-api": "tensorflow_serving",
    }
    words = {word for path in SOURCES for word in re.findall(r"\w+", path.read_text())}
    for name in extras.keys() - {"gpu", "dev", "browser", "bucket"}:
        packages = {re.match(r"[a-z0-9-]+", line)[0] for line in extras[name]}
        assert {modules.get(package, package) for package in packages} <= words, name


def test_the_wheel_has_every_package():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {stated["package-dir"].get(name, name.replace(".", "/")) for name in stated["packages"]}
    needed = {p.parent.relative_to(ROOT).as_posix() for p in SOURCES if p.name == "__init__.py"}
    assert folders == {*needed, "savedmodels"}
