"""CVAT for images 1.1 (https://docs.cvat.ai/docs/other/xml_format)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from ifcn_tf.common.files import atomic_write
from ifcn_tf.masks.outlines import Ring, outlines
from ifcn_tf.masks.rle import Rle, runs_by_rows, within_box
from ifcn_tf.proposals import OBJECT
from ifcn_tf.results.formats.image_proposals import ImageProposals, Images, categories_of

_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
<version>1.1</version>
<meta><task><labels>"""
_LABEL = """<label><name>{}</name><attributes><attribute><name>score</name><mutable>False</mutable>
<input_type>number</input_type><default_value>0</default_value><values>0;1;0.001</values></attribute></attributes>
</label>"""
_END_OF_HEAD = "</labels></task></meta>\n"


def cvat(images: Images, output: Path, simplify: float) -> None:
    """One XML file, CVAT for images 1.1: polygons, or masks where an object has a hole or several parts."""
    images = iter(images)
    first = list(itertools.islice(images, 1))  # all have the same categories
    labels = categories_of(first[0].proposals).values() if first else [OBJECT]
    with atomic_write(output) as file:
        file.writelines([_HEAD, *(_LABEL.format(escape(label)) for label in labels), _END_OF_HEAD])
        for number, image in enumerate(itertools.chain(first, images)):
            height, width = image.proposals.size_hw
            file.write(f'<image id="{number}" name={quoteattr(image.path.name)} width="{width}" height="{height}">\n')
            file.writelines(_shapes(image, simplify))
            file.write("</image>\n")
        file.write("</annotations>\n")


def _shapes(image: ImageProposals, simplify: float) -> Iterator[str]:
    proposals = image.proposals
    for rle, score, label in zip(proposals.rles, proposals.scores, proposals.labels, strict=True):
        rings = [ring for part in outlines(rle, simplify) for ring in part]
        tag, form = ("polygon", _points(rings[0])) if len(rings) == 1 else ("mask", _runs(rle))
        yield f'<{tag} label={quoteattr(label)} source="auto" occluded="0" z_order="0" {form}>'
        yield f'<attribute name="score">{score:.3f}</attribute></{tag}>\n'


def _points(ring: Ring) -> str:
    return f'points="{";".join(f"{x:.2f},{y:.2f}" for x, y in ring.tolist())}"'


def _runs(rle: Rle) -> str:
    """The runs within the mask's box, row by row, from background on."""
    (left, top), mask = within_box(rle)
    height, width = mask.shape
    runs = ", ".join(map(str, runs_by_rows(mask)))
    return f'rle="{runs}" left="{left}" top="{top}" width="{width}" height="{height}"'
