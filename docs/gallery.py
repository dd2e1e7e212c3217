"""Makes the gallery: python docs/gallery.py BEFORE.weights.h5, with scikit-image and scikit-learn installed.

Each picture shows the distinct masks of the given weights on the left, those of the bundled model on the right.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import ifcn_tf
from ifcn_tf.pictures.proposals import draw_proposals

_SKIMAGE, _SKLEARN = "skimage/data", "sklearn/datasets/images"
_CC0, _PUBLIC, _FREE = "CC0", "public domain", "no known copyright restrictions"
_BY = "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/), made smaller, masks drawn"
#: Photographs with their licence, as scikit-image's `data` module and scikit-learn's README state it.
PHOTOGRAPHS = {
    f"{_SKIMAGE}/astronaut.png": f"NASA, {_PUBLIC}",
    f"{_SKIMAGE}/brick.png": f"CC0Textures, {_CC0}",
    f"{_SKIMAGE}/camera.png": f"Lav Varshney, {_CC0}",
    f"{_SKIMAGE}/cell.png": f"Paul Müller and others, {_CC0}",
    f"{_SKIMAGE}/chelsea.png": f"Stefan van der Walt, {_CC0}",
    f"{_SKLEARN}/china.jpg": f"[danielbuechele](https://www.flickr.com/photos/danielbuechele/6061409035/), {_BY}",
    f"{_SKIMAGE}/clock_motion.png": f"Stefan van der Walt, {_PUBLIC}",
    f"{_SKIMAGE}/coffee.png": f"Rachel Michetti, {_CC0}",
    f"{_SKIMAGE}/coins.png": f"Brooklyn Museum, {_FREE}",
    f"{_SKLEARN}/flower.jpg": f"[vultilion](https://www.flickr.com/photos/vultilion/6056698931/), {_BY}",
    f"{_SKIMAGE}/grass.png": f"CC0Textures, {_CC0}",
    f"{_SKIMAGE}/gravel.png": f"CC0Textures, {_CC0}",
    f"{_SKIMAGE}/hubble_deep_field.jpg": f"NASA, {_PUBLIC}",
    f"{_SKIMAGE}/ihc.png": f"Center for Microscopy And Molecular Imaging, {_FREE}",
    f"{_SKIMAGE}/microaneurysms.png": f"Andreas Maier, {_CC0}",
    f"{_SKIMAGE}/retina.jpg": f"Mikael Häggström, {_CC0}",
    f"{_SKIMAGE}/rocket.jpg": f"SpaceX, {_PUBLIC}",
    f"{_SKIMAGE}/text.png": f"Wikipedia, {_PUBLIC}",
}
#: Sides of what is shown [px]; larger photographs take more megabytes than a look deserves.
_SIDE = 512
_HEAD = """# Gallery

*What does the bundled model make of photographs that nobody chose for it?*

All photographs that scikit-image 0.26 and scikit-learn ship and whose licence is stated; none is left out for its
result. On the left are the best masks that hardly overlap of `default` before it had a score head and a refiner, whose
scores are objectness and no expected IoU (`git show 9b69a0f:savedmodels/default/model.weights.h5`, likewise
`config.json`); on the right those of `default` now.

What was found before and is worse now: of `coins` 20 were shown, as many as a picture shows at most, and now 11, some
of them cut straight. The score head knows little about pictures unlike COCO's and VOC's: of coins it expects .1 to .4,
and masks that score less than .3 are not shown. Of `cell` the whole picture is taken for the object, and the cell is
not shown. The mask of `flower` runs on into the stem. Bricks, stones, galaxies, strokes of writing, the astronaut's
emblem and the tower behind the camera are not shown any more.

"""


def _photograph(place: str) -> Image.Image:
    package, rest = place.split("/", 1)
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        sys.exit(f"{package} is not installed: pip install scikit-image scikit-learn.")
    image = Image.open(Path(found.origin).parent / rest).convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    return image


def main(before: str) -> None:
    """Draws both models' masks on every photograph, and writes the page."""
    page, folder = Path(__file__).with_suffix(".md"), Path(__file__).with_suffix("")
    folder.mkdir(exist_ok=True)
    predictors, text = [ifcn_tf.load(before), ifcn_tf.load()], _HEAD
    for place, source in PHOTOGRAPHS.items():
        name, image = Path(place).stem, np.asarray(_photograph(place))
        drawn = [np.asarray(draw_proposals(image, p.propose(image).distinct())) for p in predictors]
        Image.fromarray(np.concatenate(drawn, 1)).save(folder / f"{name}.jpg", quality=80)
        text += f"![{name}](gallery/{name}.jpg)\n\n`{name}`: {source}.\n\n"
    page.write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
