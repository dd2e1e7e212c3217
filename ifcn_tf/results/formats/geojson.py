"""GeoJSON (RFC 7946), for maps and for viewers of large pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import write_json
from ifcn_tf.images.geotiff import read_map_place
from ifcn_tf.masks.outlines import Part, Ring, outlines
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import Images

#: Pixels as they are.
_PIXELS = np.eye(2, 3)
#: The system that GeoJSON means when a file names none: longitude and latitude.
_WGS84 = 4326


def geojson(images: Images, output: Path, simplify: float) -> None:
    """STEM.geojson of each image: polygons with holes and parts, in pixels or, of a GeoTIFF, on its map."""
    for image in images:
        place = read_map_place(image.path)
        content: dict[str, Any] = {"type": "FeatureCollection"}
        if place and place.epsg not in (None, _WGS84):
            content["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{place.epsg}"}}
        matrix = place.matrix if place else _PIXELS
        content["features"] = list(_features(image.proposals, matrix, simplify))
        write_json(output / f"{image.path.stem}.geojson", content, indent=None)


def _features(proposals: Proposals, matrix: np.ndarray, simplify: float) -> Iterator[dict[str, Any]]:
    columns = (proposals.rles, proposals.scores.tolist(), proposals.areas().tolist(), proposals.labels)
    for rank, (rle, score, area, label) in enumerate(zip(*columns, strict=True)):
        polygons = [_coordinates(part, matrix) for part in outlines(rle, simplify)]
        one = len(polygons) == 1
        geometry = {"type": "Polygon" if one else "MultiPolygon", "coordinates": polygons[0] if one else polygons}
        properties = {"label": label, "score": round(score, 6), "rank": rank, "area_px": area}
        yield {"type": "Feature", "geometry": geometry, "properties": properties}


def _coordinates(part: Part, matrix: np.ndarray) -> list[list[list[float]]]:
    """Closed rings; the outer border runs against the clock where the second coordinate points up, as RFC 7946 asks."""
    mirrors = np.linalg.det(matrix[:, :2]) < 0
    return [_closed(ring[::-1] if mirrors else ring, matrix) for ring in part]


def _closed(ring: Ring, matrix: np.ndarray) -> list[list[float]]:
    points = np.concatenate([ring, ring[:1]])
    return (points @ matrix[:, :2].T + matrix[:, 2]).tolist()
