"""Image ids: one spelling for results, truth and file names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

ImageId = int | str


def canonical_id(image_id: Any) -> ImageId | None:
    """An image id as this project writes it: "000000000139" and 139 are 139, other texts stay; None if it is no id."""
    if isinstance(image_id, str):
        return id_of_text(image_id)
    return image_id if isinstance(image_id, int) and not isinstance(image_id, bool) else None


def id_of_file(path: Path) -> ImageId:
    """COCO's id of an image file: its stem as a number where it is one (000000000139.jpg -> 139), else the stem."""
    return id_of_text(path.stem)


def id_of_text(text: str) -> ImageId:
    """The id that a text spells: a number where it consists of digits, after a minus or not, else the text itself."""
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else text


def sort_key(image_id: ImageId) -> tuple[bool, int, str]:
    """Order of image ids: numbers, then texts."""
    return isinstance(image_id, str), 0 if isinstance(image_id, str) else image_id, str(image_id)


def examples(values: Sequence[Any], count: int = 3) -> str:
    """The first few values and, if there are more, an ellipsis."""
    return ", ".join(map(str, values[:count])) + (", ..." if len(values) > count else "")


def repeated(values: Iterable[Hashable]) -> list[Any]:
    """The values that appear more than once, in the order of their first appearance."""
    return [value for value, count in Counter(values).items() if count > 1]
