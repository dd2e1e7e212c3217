"""A contact sheet: the pictures of many images in one HTML file, which opens without a server and needs nothing else.

While a run goes on, each image leaves its card, a piece of HTML, so that a run can be resumed; at its end they are put
together, one at a time in memory. The page itself is `contact_sheet.html` beside this module.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ifcn_tf.common.files import atomic_write, read_text
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.proposals import draw_proposals
from ifcn_tf.proposals import Proposals

#: The format's name.
CONTACT_SHEET = "contact_sheet"
_PAGE = Path(__file__).with_name("contact_sheet.html")
#: Where cards stand in the page.
_PLACE = "<!-- cards -->"
#: Pictures in the page are this long at most [px], also when they are enlarged.
_LONGER_SIDE = 960


def write_card(folder: Path, path: Path, image: np.ndarray, best: Proposals) -> None:
    """Writes parts/STEM.html: the given proposals over the image, uint8 [H, W, 3], with what cards are sorted by."""
    picture = draw_proposals(image, best)
    picture.thumbnail((_LONGER_SIDE, _LONGER_SIDE))
    data = base64.b64encode(encode(picture, "WEBP", quality=80)).decode()
    score, name = float(best.scores.max(initial=0)), html.escape(path.name)
    with atomic_write(_card_path(folder, path)) as file:
        file.write(
            f'<figure data-name="{name}" data-score="{score:.4f}" data-count="{len(best)}"><button>'
            f'<img src="data:image/webp;base64,{data}" alt="{name}" width="{picture.width}" height="{picture.height}">'
            f"</button><figcaption><b>{name}</b> {len(best)} masks, best {score:.2f}</figcaption></figure>\n"
        )


def merge_cards(folder: Path, paths: Iterable[Path]) -> None:
    """Writes contact_sheet.html of the cards of images."""
    before, after = read_text(_PAGE).split(_PLACE)
    with atomic_write(folder / _PAGE.name) as file:
        file.write(before)
        for path in paths:
            file.write(read_text(_card_path(folder, path)))
        file.write(after)


def _card_path(folder: Path, path: Path) -> Path:
    return folder / "parts" / f"{path.stem}.html"
