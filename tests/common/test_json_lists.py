"""Lists of a JSON object entry by entry: what Python's own reader finds, however the file is cut into blocks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ifcn_tf.common import json_lists
from ifcn_tf.common.files import UserError
from ifcn_tf.common.json_lists import read_lists

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> dict[str, list[Any] | None]:
    """Values of every entry, which have to be those of their texts."""
    found: dict[str, list[Any] | None] = {}
    for name, entries in read_lists(path):
        read = None if entries is None else list(entries)
        assert all(repr(json.loads(entry.text)) == repr(entry.value) for entry in read or ())
        found[name] = None if read is None else [entry.value for entry in read]
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=4), VALUES | st.lists(VALUES)), st.sampled_from([1, 2, 7, 1000]), st.booleans())
def test_lists_are_those_of_the_whole_file(tmp_path, monkeypatch, content, block, indented):
    monkeypatch.setattr(json_lists, "_BLOCK", block)
    path = write(tmp_path / "file.json", json.dumps(content, indent=2 if indented else None, ensure_ascii=False))
    expected = {
        name: value if isinstance(value, list) else None for name, value in content.items() if value is not None
    }
    assert read(path) == expected


def test_numbers_are_not_cut_where_a_block_ends(tmp_path, monkeypatch):
    path = write(tmp_path / "file.json", '{"a": [12.5e3, -1, 1.25], "b": 12.5}')
    for block in range(1, 30):
        monkeypatch.setattr(json_lists, "_BLOCK", block)
        assert read(path) == {"a": [12500.0, -1, 1.25], "b": None}


def test_numbers_that_python_alone_writes_are_read(tmp_path):
    (first, second, third) = read(write(tmp_path / "file.json", '{"a": [NaN, Infinity, -Infinity]}'))["a"]
    assert (math.isnan(first), second, third) == (True, math.inf, -math.inf)


def test_entries_that_are_not_asked_for_are_passed_over(tmp_path):
    path = write(tmp_path / "file.json", '{"a": [1, 2, 3], "b": [4]}')
    assert [next(entries).value for _, entries in read_lists(path)] == [1, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"Expecting value \(character 0\)"),
        ("word", r"Expecting value \(character 0\)"),
        ('{"a": [1, 2', r"one of ,\] is expected \(character 11\)"),
        ('{"a": [1, ]}', r"Expecting value \(character 10\)"),
        ('{"a": [{"b": 1}', r"one of ,\] is expected"),
        ('{"a": [{"b": 1]}', r"Expecting ',' delimiter \(character 14\)"),
        ('{"a": 1 "b": 2}', r"one of ,} is expected \(character 8\)"),
        ("{1: 2}", r"a name is expected \(character 1\)"),
        ('{"a" 1}', r"one of : is expected"),
        ('{"a": 1} {}', r"nothing more is expected \(character 9\)"),
        ('{"a": ["' + "[" * 10, "Unterminated string"),
        ('{"a": [' + "[" * 100_000, "recursion"),
        ('{"a": [' + "1" * 5000 + "]}", "digits"),
    ],
)
@pytest.mark.parametrize("block", [3, 1 << 20])
def test_broken_files_are_refused_with_the_place(tmp_path, monkeypatch, text, message, block):
    monkeypatch.setattr(json_lists, "_BLOCK", block)
    with pytest.raises(UserError, match=rf"file\.json is cut off or not valid JSON: .*{message}"):
        read(write(tmp_path / "file.json", text))


def test_files_that_hold_no_text_or_no_object_are_refused(tmp_path):
    (tmp_path / "file.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UserError, match=r"cannot read .*file\.json: .*utf-8"):
        read(tmp_path / "file.json")
    for text in ("[]", "3", '"a"', "null"):
        with pytest.raises(UserError, match="is no COCO json: it has to be an object"):
            read(write(tmp_path / "file.json", text))
    with pytest.raises(UserError, match=r"cannot read .*absent\.json: No such file"):
        read(tmp_path / "absent.json")
