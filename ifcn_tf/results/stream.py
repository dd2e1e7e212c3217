"""Reading a long file of results object by object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ifcn_tf.common.files import UserError
from ifcn_tf.common.json_lists import read_list


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Entries of a JSON file that holds one array of objects, or of a gzip file of it.

    Raises:
        UserError: no such file, damaged gzip, no array of objects, or one that is cut off.
    """
    for number, entry in enumerate(read_list(path)):
        if not isinstance(entry.value, dict):
            raise UserError(f"{path}, result {number}: an object {{...}} is expected, not {entry.value!r}.")
        yield entry.value
