"""`ifcn-tf web` as people start it, with the bundled network; makes the pictures of docs/web.md.

IFCN_PICTURES=docs python -m pytest tests/web/test_command.py
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.web.test_page import SAMPLES, Visitor

ROOT = Path(__file__).parents[2]
#: Places of the photograph, as parts of its height and width.
SPOON, COFFEE, OUTSIDE = (0.75, 0.6), (0.3, 0.5), (0.2, 1.2)


@pytest.fixture
def command():
    """The running command, and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.web"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    printed = ""
    for line in process.stdout:
        printed += line
        if found := re.search(r"the page is at (\S+)", line):
            yield process, found[1]
            break
    else:
        pytest.fail(printed + process.stderr.read())
    process.kill()


def picture(visitor, name, tmp_path):
    path = Path(os.environ.get("IFCN_PICTURES", tmp_path)) / name
    visitor.page.evaluate("document.fonts.ready")
    visitor.page.wait_for_timeout(200)  # colours change within 80 ms
    visitor.page.screenshot(path=path, quality=85)
    assert path.stat().st_size < 300_000


def take_pictures(visitor, tmp_path):
    """Uploads two photographs, points at a spoon, and takes the coffee and the spoon."""
    visitor.page.locator("#photographs input[type=file]").wait_for(state="attached")
    start = time.perf_counter()
    visitor.upload(SAMPLES / "coffee.jpg", SAMPLES / "cat.jpg")
    visitor.saw("coffee.jpg, 1 of 2")
    print(f"masks on the page {time.perf_counter() - start:.2f} s after the upload")
    visitor.move(SPOON)
    picture(visitor, "web.jpg", tmp_path)
    visitor.click(COFFEE)
    visitor.saw("1 taken")
    visitor.click(SPOON, "Shift")
    visitor.saw("2 taken")
    visitor.move(OUTSIDE)
    picture(visitor, "web_chosen.jpg", tmp_path)


def test_masks_of_a_photograph_by_the_bundled_network(browser_context, command, tmp_path):
    process, address = command
    visitor = Visitor(browser_context.new_page(), address)
    take_pictures(visitor, tmp_path)
    visitor.page.keyboard.press("n")
    visitor.saw("cat.jpg, 2 of 2")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    visitor.page.close()
