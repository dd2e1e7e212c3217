"""What the bar of all long work says, where, and what it lets through."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from ifcn_tf.common.progress import ProgressBar, track


def test_items_pass_and_are_counted(capsys):
    assert list(track(iter("abc"), 3, "preparing")) == ["a", "b", "c"]
    written = capsys.readouterr()
    assert written.out == ""
    assert re.match(r"preparing \S+ 3/3 images, \d+/s 0:00:00 left *\n", written.err)


def test_other_units_unknown_totals_and_notes(capsys):
    with ProgressBar("file.zip", None, "MB", done=2) as bar:
        bar.advance(1.4, "resumed")
    shown = capsys.readouterr().err
    assert "3 MB" in shown and "/0" not in shown
    assert shown.rstrip().endswith("left resumed")


def test_a_bar_that_is_not_wanted_says_nothing(capsys):
    with ProgressBar("training", 5, "steps", disable=True) as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("on_terminal", [False, True])
def test_what_is_printed_meanwhile_stays_on_stdout(on_terminal):
    """Also where the bar is on a terminal, and stdout goes into a file."""
    program = "from ifcn_tf.common.progress import track\nfor i in track(range(2), 2, 'proposing'): print('step', i)"
    terminal, far_end = pty.openpty() if on_terminal else os.pipe()
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=far_end, check=True)
    assert done.stdout == b"step 0\nstep 1\n"
    assert b"2/2 images" in os.read(terminal, 10_000)
    os.close(terminal)
    os.close(far_end)
