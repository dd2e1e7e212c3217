"""The containers, as far as their files say: nothing here builds or runs one."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.test_docs import PARSER

ROOT = Path(__file__).parents[1]
SERVING = ROOT / "savedmodels" / "serving"
COMPOSE = yaml.safe_load((SERVING / "compose.yaml").read_text())["services"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
#: The instructions of each stage by its name.
STAGES = {
    name: re.findall(r"^([A-Z]+) (.+)$", body, re.MULTILINE)
    for name, body in re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
}
IMAGES = ("training", "page")


def test_what_the_images_install_are_extras_of_this_project():
    extras = PROJECT["project"]["optional-dependencies"]
    for name in IMAGES:
        installed = re.search(r"ifcn_tf-\*\.whl\)\[(.+?)\]", dict(STAGES[name])["RUN"])
        assert set(installed[1].split(",")) <= set(extras), name


def test_the_images_run_commands_as_nobody_in_particular():
    assert list(STAGES) == ["wheel", "base", *IMAGES]
    assert ("ENTRYPOINT", '["ifcn-tf"]') in STAGES["base"]
    assert "ifcn-tf" in PROJECT["project"]["scripts"]
    user = re.search(r"useradd .*?(\w+) &&", dict(STAGES["base"])["RUN"])[1]
    assert [STAGES[name][-1] for name in IMAGES] == [("USER", user)] * 2


def test_the_images_have_a_python_that_the_project_takes():
    versions = re.findall(r"^FROM python:3\.(\d+)-slim", DOCKERFILE, re.MULTILINE)
    low, high = map(int, re.findall(r"3\.(\d+)", PROJECT["project"]["requires-python"]))
    assert versions and all(low <= int(version) < high for version in versions)


def test_building_is_handed_all_that_the_wheel_has_and_little_else():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)
    tools = PROJECT["tool"]["setuptools"]
    folders = {tools["package-dir"].get(name, name.replace(".", "/")) for name in tools["packages"]}
    data = {f"savedmodels/{name.partition('/')[0]}" for name in tools["package-data"]["ifcn_tf.savedmodels"]}
    needed = {folder.partition("/")[0] for folder in folders if folder != "savedmodels"} | data
    assert kept == needed | {"pyproject.toml", "requirements.txt", PROJECT["project"]["readme"], "LICENSE"}


def docker_lines():
    """What is documented of docker, without its comment signs."""
    for text in (DOCKERFILE, (ROOT / "docs" / "serving.md").read_text()):
        yield from re.findall(r"^[# ]+(docker .*)$", re.sub(r"\\\n\s*", "", text), re.MULTILINE)


def test_the_stages_that_are_asked_for_are_there():
    named = {target for line in docker_lines() for target in re.findall(r"--target (\w+)", line)}
    assert named == {"training"} and named <= set(STAGES)
    assert {line.split()[-2] for line in docker_lines() if "--profile" in line} == set(COMPOSE["page"]["profiles"])


def test_the_commands_that_containers_run_have_such_flags():
    run = [re.search(r" ifcn-tf\S* ([a-z-]+) (.*)$", line) for line in docker_lines() if line.startswith("docker run")]
    lines = [(match[1], shlex.split(match[2])) for match in run]
    page, *arguments = COMPOSE["page"]["command"]
    lines.append((page, arguments))
    for script in {script for script, _ in lines}:
        program = [sys.executable, "-c", PARSER, f"pipelines.{script.replace('-', '_')}"]
        parsed = json.dumps([[name, *arguments] for name, arguments in lines if name == script])
        done = subprocess.run(program, input=parsed, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, (script, done.stderr)


@pytest.mark.parametrize("name", COMPOSE)
def test_services_are_seen_by_this_machine_alone(name):
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE[name]["ports"])
    for volume in COMPOSE[name].get("volumes", []):
        folder, _, options = volume.partition(":")
        assert (SERVING / folder).exists() or folder == "../ifcn"
        assert options.endswith(":ro")


def test_the_page_asks_the_server_beside_it():
    page, server = COMPOSE["page"], COMPOSE["ifcn"]
    flags = dict(word.removeprefix("--").split("=") for word in page["command"][1:])
    name, port = flags["server"].split(":")
    assert COMPOSE[name] is server and f"127.0.0.1:{port}:{port}" in server["ports"]
    assert page["ports"] == [f"127.0.0.1:{flags['port']}:{flags['port']}"]
    assert flags["host"] == "0.0.0.0", "nothing outside a container reaches its loopback"
    assert page["depends_on"] == [name]
    assert (SERVING / page["build"] / "Dockerfile").samefile(ROOT / "Dockerfile")
    assert list(STAGES)[-1] == "page", "the last stage is what is built without a target"
