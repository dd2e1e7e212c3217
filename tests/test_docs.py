"""What is documented is there: pages, pictures, files, commands with their flags, imports."""

import ast
import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [README, ROOT / "WORKSPACE.md", *(ROOT / "savedmodels").glob("*/MODEL_CARD.md"), *PAGES]
SCRIPTS = sorted(path.stem for path in (ROOT / "pipelines").glob("[!_]*.py"))
#: Parses command lines, a list of arguments each, by the flags of a script.
PARSER = """
import importlib, json, sys
from absl import flags
importlib.import_module(sys.argv[1])
for arguments in json.load(sys.stdin):
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
    flags.FLAGS(arguments)
"""

of_each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def code_lines(text):
    """The lines of fenced and indented code, those that end with a backslash joined with the next."""
    fenced, lines = False, []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(line.strip())
    return lines


def commands(text):
    """The arguments of each command line of this project's scripts, the name of the script first."""
    lines = [re.sub(r"^ifcn-tf (\S+)", _as_module, line) for line in code_lines(text)]
    words = [shlex.split(line, comments=True) for line in lines if "python -m pipelines." in line]
    return [line[line.index("-m") + 1 :] for line in words]


def _as_module(command):
    return f"python -m pipelines.{command[1].replace('-', '_')}"


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def imported(block):
    """What a block imports of this project, as dotted names."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def resolve(name):
    """A module, or something in one; raises ImportError or AttributeError when there is none."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def test_the_extraction_finds_what_it_looks_for():
    command = "    $ python -m pipelines.x --a=1 \\\n        --b c  # d\n"
    text = f"{command}```python\nimport ifcn_tf\n```\nprose: python -m pipelines.y\n    ifcn-tf a-b photo.jpg --c\n"
    assert commands(text) == [["pipelines.x", "--a=1", "--b", "c"], ["pipelines.a_b", "photo.jpg", "--c"]]
    assert [list(imported(block)) for block in python_blocks(text)] == [["ifcn_tf"]]


def test_the_readme_is_short():
    text = README.read_text()
    assert len(text.splitlines()) <= 130
    assert len(text.split()) <= 1200


def test_the_readme_leads_to_every_page_and_every_page_begins_with_what_it_answers():
    linked = set(re.findall(r"\]\((docs/\w+\.md)\)", README.read_text()))
    assert linked == {str(page.relative_to(ROOT)) for page in PAGES}
    for page in PAGES:
        assert re.match(r"# [^\n]+\n\n\*[^*]+\?\*\n", page.read_text()), page.name


@of_each_document
def test_links_and_pictures_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    relative = [target for target in targets if "://" not in target]
    assert not [target for target in relative if not (document.parent / target).exists()]


@of_each_document
def test_files_and_modules_that_the_text_names_are_there(document):
    quoted = re.findall(r"`([^`\n]+)`", document.read_text())
    paths = [name for name in quoted if re.fullmatch(r"(ifcn_tf|pipelines|tests|docs)/[\w/.]*", name)]
    scripts = [f"{name.replace('.', '/')}.py" for name in quoted if re.fullmatch(r"pipelines\.\w+", name)]
    assert not [name for name in paths + scripts if not (ROOT / name).exists()]
    for name in (name for name in quoted if re.fullmatch(r"ifcn_tf(\.\w+)+", name)):
        resolve(name)


@pytest.mark.parametrize("script", SCRIPTS)
def test_commands_are_documented_with_flags_that_they_have(script):
    lines = [line for document in DOCUMENTS for line in commands(document.read_text())]
    lines = [line for line in lines if line[0] == f"pipelines.{script}"]
    assert lines
    program = [sys.executable, "-c", PARSER, f"pipelines.{script}"]
    done = subprocess.run(program, input=json.dumps(lines), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@of_each_document
def test_python_blocks_compile_and_their_imports_resolve(document):
    for block in python_blocks(document.read_text()):
        compile(block, str(document), "exec")
        for name in imported(block):
            resolve(name)
