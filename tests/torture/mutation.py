"""Files damaged at random, as disks, networks, editors and attackers damage them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: What stands in text where a value was.
_VALUES = (
    *(b"null", b"true", b"-1", b"0.5", b"1e999", b"NaN", b"99999999999999999999"),
    *(b'""', b'"\\u0000"', b"[]", b"{}"),
)


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The content after one to three changes of random kind, place and length; never the content itself."""
    changed = content
    while changed == content:
        for _ in range(random.integers(1, 4)):
            changed = _KINDS[random.integers(len(_KINDS))](changed, random)
    return changed


def _part(content: bytes, random: np.random.Generator) -> tuple[int, int]:
    """Begin and end of a part, mostly a short one."""
    begin = int(random.integers(len(content) + 1))
    length = int(min(2 ** random.uniform(0, 12), len(content) - begin))
    return begin, begin + length


def _cut(content: bytes, random: np.random.Generator) -> bytes:
    return content[: random.integers(len(content) + 1)]


def _drop(content: bytes, random: np.random.Generator) -> bytes:
    begin, end = _part(content, random)
    return content[:begin] + content[end:]


def _repeat(content: bytes, random: np.random.Generator) -> bytes:
    begin, end = _part(content, random)
    return content[:end] + content[begin:end] + content[end:]


def _noise(content: bytes, random: np.random.Generator) -> bytes:
    begin, end = _part(content, random)
    return content[:begin] + random.bytes(end - begin) + content[end:]


def _fill(content: bytes, random: np.random.Generator) -> bytes:
    begin, end = _part(content, random)
    return content[:begin] + bytes([random.choice([0, 255])]) * (end - begin) + content[end:]


def _bits(content: bytes, random: np.random.Generator) -> bytes:
    values = np.frombuffer(content, np.uint8).copy()
    if len(values):
        places = random.integers(len(values), size=random.integers(1, 9))
        values[places] ^= (1 << random.integers(8, size=len(places))).astype(np.uint8)
    return values.tobytes()


def _value(content: bytes, random: np.random.Generator) -> bytes:
    """Another value behind a colon or a comma, if there is one."""
    marks = [place for place, byte in enumerate(content[: 1 << 20]) if byte in b":,["]
    if not marks:
        return content
    begin = marks[random.integers(len(marks))] + 1
    ends = [end for mark in (b",", b"]", b"}", b"\n") if (end := content.find(mark, begin)) >= 0]
    return content[:begin] + _VALUES[random.integers(len(_VALUES))] + content[min(ends, default=begin) :]


_KINDS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    *(_cut, _drop, _repeat, _noise, _fill, _bits, _value),
)
