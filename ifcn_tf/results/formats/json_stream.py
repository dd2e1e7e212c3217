"""Long JSON arrays, written item by item."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO, Any


def write_array(file: IO[str], items: Iterable[Any]) -> None:
    """Writes a JSON array, one item a line."""
    separator = "[\n"
    for item in items:
        file.write(separator + json.dumps(item))
        separator = ",\n"
    file.write("\n]" if separator != "[\n" else "[]")
