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


def table():
    """The rows of the map, top to bottom: its names of modules and folders, and whether TensorFlow is used."""
    lines = re.findall(r"^\| (`.*) \| .* \| (no|yes|for gRPC) \|$", (ROOT / "WORKSPACE.md").read_text(), re.MULTILINE)
    return [(re.findall(r"`(.+?)`", names), tensorflow) for names, tensorflow in lines]


TABLE = table()


def row_of(path):
    """Number of the one row that names a module, or the folder that it is in."""
    name = path.relative_to(ROOT / "ifcn_tf").as_posix()
    rows = [row for row, (entries, _) in enumerate(TABLE) if any(_holds(entry, name) for entry in entries)]
    assert len(rows) == 1, f"{name} is in the rows {rows} of the map"
    return rows[0]


def _holds(entry, name):
    return (
        name.startswith(entry) if entry.endswith("/") else name in (entry, f"{entry.removesuffix('.py')}/__init__.py")
    )


def modules_of(path):
    """The files of this library that a module imports."""
    for name in imports(path):
        parts = name.split(".")
        for end in range(len(parts), 1, -1) if parts[0] == "ifcn_tf" else ():
            base = ROOT.joinpath(*parts[:end])
            if found := [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.exists()]:
                yield found[0]
                break


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


LIBRARY = [path for path in SOURCES if path.is_relative_to(ROOT / "ifcn_tf")]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_keep_to_the_map(path):
    if path.name == "__init__.py" and not list(imports(path)):
        return
    names, row = set(imports(path)), row_of(path)
    assert not {name for name in names if name.startswith(("absl", "pipelines"))}
    lower = {str(module.relative_to(ROOT)) for module in modules_of(path) if row_of(module) > row}
    assert not lower
    if TABLE[row][1] == "no":
        assert not {name for name in names if name.split(".")[0] in ("tensorflow", "keras")}


def test_every_entry_of_the_map_exists():
    entries = [entry for names, _ in TABLE for entry in names]
    assert len(TABLE) > 20
    assert [entry for entry in entries if not (ROOT / "ifcn_tf" / entry).exists()] == []


def test_rows_without_tensorflow_stand_above_the_others():
    assert [tensorflow != "no" for _, tensorflow in TABLE] == sorted(tensorflow != "no" for _, tensorflow in TABLE)


def test_commands_import_each_other_never():
    commands = [path for path in SOURCES if path.parent.name == "pipelines" and not path.name.startswith("_")]
    shared = {"pipelines._cli", "pipelines._images", "pipelines._network", "pipelines._run_settings"}
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
        "PIL": "pillow",
        "grpc": "grpcio",
        "tensorflow_serving": "tensorflow-serving-api",
    }
    assert {package_of.get(name, name) for name in top - ours} <= packages
