"""The command that proposes, with a light network, as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.exported import model_folder

ROOT = Path(__file__).parents[2]


def start(images, output, *more):
    """Photographs on a disk are named by a relative path, which machines elsewhere do not understand."""
    images = images if isinstance(images, str) else os.path.relpath(images, ROOT)
    arguments = [f"--images={images}", f"--output={output}", f"--saved_model={model_folder()}", "--overlay=none"]
    line = [sys.executable, "-m", "pipelines.propose", *arguments, "--format=parquet", *more]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
