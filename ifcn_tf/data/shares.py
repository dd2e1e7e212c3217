"""How often the photographs of each of several folders are shown."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from ifcn_tf.common.files import UserError

#: A folder and its share; what follows a colon within a path is no share.
_WITH_SHARE = re.compile(r"(.+):([^/\\]*)")
_MOST = 1000


def folders_and_shares(texts: Sequence[str]) -> tuple[list[Path], list[int]]:
    """Reads "folder" or "folder:share" each: a photograph of a:3 is shown three times as often as one of b:1.

    A folder that has such a name is that folder.

    Returns:
        The folders, and their shares in lowest terms; no shares where all are equal.

    Raises:
        UserError: a share that is no whole number of 1 to 1000.
    """
    pairs = [_folder_and_share(text) for text in texts]
    divisor = math.gcd(*(share for _, share in pairs))
    shares = [share // divisor for _, share in pairs]
    return [folder for folder, _ in pairs], shares if max(shares, default=1) > 1 else []


def _folder_and_share(text: str) -> tuple[Path, int]:
    match = _WITH_SHARE.fullmatch(text)
    if match is None or Path(text).is_dir():
        return Path(text), 1
    folder, share = match.groups()
    if not share.isdecimal() or not 1 <= int(share) <= _MOST:
        raise UserError(
            f"--data={text}: there is no such folder, and {share!r} is no share of {folder}: give a whole number of "
            f"1 to {_MOST}."
        )
    return Path(folder), int(share)
