"""What users install: the wheel, in an environment without the clone."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "savedmodels" / "sample" / "coffee.jpg"


def run(*arguments, **options):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=400, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel that was made of the source distribution, and the programs of an environment that has it.

    What it requires is taken from the environment that runs the tests.
    """
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "environment", with_pip=False)
    programs = folder / "environment" / "bin"
    packages = Path(run(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (packages / "required.pth").write_text(sysconfig.get_path("purelib"))
    run(sys.executable, "-m", "pip", "--python", programs / "python", "install", "--no-deps", wheel)
    return wheel, programs


def test_the_wheel_is_small_and_installs_one_package(installed):
    wheel, programs = installed
    assert wheel.stat().st_size < 40e6
    packages = Path(run(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    assert {path.name for path in packages.iterdir() if path.is_dir() and path.suffix != ".dist-info"} == {"ifcn_tf"}


def test_masks_of_a_photograph_in_an_empty_folder(installed, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shutil.copy(SAMPLE, tmp_path / "photo.jpg")
    run(installed[1] / "ifcn-tf", "propose", "photo.jpg", "--shorter_sides=119", cwd=tmp_path, env=environment)
    results = json.loads((tmp_path / "masks" / "proposals.json").read_text())
    assert len(results) > 20
    assert (tmp_path / "masks" / "overlays" / "photo.png").exists()


def test_the_command_names_its_commands(installed):
    program = installed[1] / "ifcn-tf"
    listed = run(program).splitlines()
    scripts = {path.stem.replace("_", "-") for path in (ROOT / "pipelines").glob("[!_]*.py")}
    assert scripts <= set(listed)
    assert run(program, "--version") == "0.3.0.dev0\n"
    wrong = subprocess.run([program, "propse"], capture_output=True, text=True)
    assert (wrong.returncode, wrong.stderr) == (1, "error: there is no command 'propse': the nearest is propose\n")
