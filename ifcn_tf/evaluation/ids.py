"""Image ids: one spelling for results, truth and file names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ImageId = int | str


def canonical_id(image_id: Any) -> ImageId | None:
    """An image id as this project writes it: "000000000139" and 139 are 139, other texts stay; None if it is no id."""
    if isinstance(image_id, str):
        return int(image_id) if image_id.isdecimal() and image_id.isascii() else image_id
    return image_id if isinstance(image_id, int) and not isinstance(image_id, bool) else None


def sort_key(image_id: ImageId) -> tuple[bool, int, str]:
    """Order of image ids: numbers, then texts."""
    return isinstance(image_id, str), 0 if isinstance(image_id, str) else image_id, str(image_id)


def examples(values: Sequence[Any], count: int = 3) -> str:
    """The first few values and, if there are more, an ellipsis."""
    return ", ".join(map(str, values[:count])) + (", ..." if len(values) > count else "")
