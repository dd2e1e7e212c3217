"""Files and folders that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ifcn_tf.common.files import (
    UserError,
    atomic_write,
    naming,
    unfinished_folder,
    whole_file,
    whole_folder,
    write_bytes,
)


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with pytest.raises(RuntimeError), atomic_write(target) as file:
        file.write("half")
        raise RuntimeError
    assert list(target.parent.iterdir()) == []
    with atomic_write(target) as file:
        file.write("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask()
    assert list(target.parent.iterdir()) == [target]
    with pytest.raises(UserError, match=r"cannot write .*file\.txt.x: File exists; choose another place\."):
        atomic_write(target / "x").__enter__()


def test_an_earlier_file_stays_until_the_new_one_is_whole(tmp_path):
    """Written by whoever takes a path and looks at its ending, as Keras does."""
    target = tmp_path / "model.weights.h5"
    target.write_text("earlier")
    with pytest.raises(KeyboardInterrupt), whole_file(target) as unfinished:
        assert (unfinished.name, unfinished.exists()) == (target.name, False)
        unfinished.write_text("later")
        raise KeyboardInterrupt
    assert [path.read_text() for path in tmp_path.iterdir()] == ["earlier"]
    with whole_file(target) as unfinished:
        unfinished.write_text("later")
        assert target.read_text() == "earlier"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["later"]


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UserError, match=f"cannot write {path}, which is no file but"):
            write_bytes(path, b"")
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    message = r"cannot write .*file: No space left on device; free some space\.$"
    with pytest.raises(UserError, match=message), whole_file(tmp_path / "file") as unfinished:
        unfinished.write_text("half")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_folder_that_failed(tmp_path):
    with pytest.raises(KeyError), whole_folder(tmp_path / "new") as folder:
        (folder / "file").write_text("x")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole_and_others_can_read_it(tmp_path):
    with whole_folder(tmp_path / "deep" / "new") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "deep" / "new").exists()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["new"]
    assert (tmp_path / "deep" / "new" / "file").read_text() == "x"
    assert (tmp_path / "deep" / "new").stat().st_mode & 0o777 == 0o755


def test_existing_folders_are_not_overwritten(tmp_path):
    with pytest.raises(UserError, match="exists already"), whole_folder(tmp_path):
        pass


def test_what_was_abandoned_long_ago_is_removed(tmp_path):
    """What is young may be another process's, at work."""
    with unfinished_folder(tmp_path) as folder:
        name = folder.name
    for ending, age in (("old", 2 * 86400), ("new", 60)):
        abandoned = tmp_path / f"{name}{ending}"
        (abandoned / "part").mkdir(parents=True)
        os.utime(abandoned, (time.time() - age,) * 2)
    with unfinished_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}new"]


def test_errors_of_the_disk_name_the_file_and_others_pass():
    message = r"^cannot write /x: Permission denied; choose another place\.$"
    with pytest.raises(UserError, match=message), naming(Path("/x")):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(KeyError), naming(Path("/x")):
        raise KeyError
