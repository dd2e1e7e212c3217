"""A contact sheet: pictures of many images in one HTML file, which opens without a server and needs nothing else.

The page itself is `contact_sheet.html` beside this module.
"""

from __future__ import annotations

import base64
import html
from pathlib import Path

from ifcn_tf.common.files import atomic_write, read_text
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.proposals import draw_proposals
from ifcn_tf.results.formats.image_proposals import ImageProposals, Images

_PAGE = Path(__file__).with_name("contact_sheet.html")
#: Where cards stand in the page.
_PLACE = "<!-- cards -->"
#: Pictures in the page are this long at most [px], also when they are enlarged.
_LONGER_SIDE = 960


def contact_sheet(images: Images, output: Path, simplify: float) -> None:
    """One HTML page of all photographs with coloured masks, to be sorted by score, number of masks or name."""
    before, after = read_text(_PAGE).split(_PLACE)
    with atomic_write(output) as file:
        file.write(before)
        file.writelines(map(_card, images))
        file.write(after)


def _card(image: ImageProposals) -> str:
    """A picture with what cards are sorted by, a piece of HTML."""
    best, name = image.proposals, html.escape(image.path.name)
    picture = draw_proposals(image.pixels(), best)
    picture.thumbnail((_LONGER_SIDE, _LONGER_SIDE))
    data = base64.b64encode(encode(picture, "WEBP", quality=80)).decode()
    score = float(best.scores.max(initial=0))
    return (
        f'<figure data-name="{name}" data-score="{score:.4f}" data-count="{len(best)}"><button>'
        f'<img src="data:image/webp;base64,{data}" alt="{name}" width="{picture.width}" height="{picture.height}">'
        f"</button><figcaption><b>{name}</b> {len(best)} masks, best {score:.2f}</figcaption></figure>\n"
    )
