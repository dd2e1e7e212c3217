"""Where on the map a GeoTIFF lies (OGC GeoTIFF 1.1): of its tags those that a picture needs, read with Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from ifcn_tf.common.files import BadImageError
from ifcn_tf.images.files import unlimited

_PIXEL_SCALE, _TIE_POINT, _TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735
_RASTER_TYPE, _GEODETIC, _PROJECTED = 1025, 2048, 3072
_PIXEL_IS_POINT = 2
#: A key of this value says nothing, or that the file describes a system of its own.
_NO_CODES = (0, 32767)


class MapPlace(NamedTuple):
    """How pixels become coordinates of a map.

    Attributes:
        matrix: float64 [2, 3]: of (x, y, 1) [px], with pixel (0, 0) covering [0, 1) x [0, 1), it makes map coordinates.
        epsg: number of the coordinate reference system; None where the file has none that is registered.
    """

    matrix: np.ndarray
    epsg: int | None


def read_map_place(path: Path) -> MapPlace | None:
    """The place of a GeoTIFF, None of any other file; raises BadImageError where its tags make no sense."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return None
    try:
        with path.open("rb") as file, unlimited():
            return _place(dict(Image.open(file, formats=("TIFF",)).tag_v2))  # type: ignore[attr-defined]
    except UnidentifiedImageError:  # another kind of image, whatever its name
        return None
    except (OSError, SyntaxError, TypeError, ValueError) as error:
        raise BadImageError(f"{path} says of its place on the map what is no GeoTIFF: {error}.") from error


def _place(tags: dict[int, Any]) -> MapPlace | None:
    keys = _keys(tags.get(_KEYS, ()))
    if _TRANSFORMATION in tags:
        matrix = np.reshape(tags[_TRANSFORMATION], (4, 4))[:2, [0, 1, 3]].astype(np.float64)
    elif _PIXEL_SCALE in tags and _TIE_POINT in tags:
        (across, down), (column, row, _, x, y) = tags[_PIXEL_SCALE][:2], tags[_TIE_POINT][:5]
        matrix = np.array([[across, 0, x - across * column], [0, -down, y + down * row]])
    else:
        return None
    if keys.get(_RASTER_TYPE) == _PIXEL_IS_POINT:  # whole numbers are centres
        matrix[:, 2] -= matrix[:, :2].sum(1) / 2
    codes = (keys.get(key, 0) for key in (_PROJECTED, _GEODETIC))
    return MapPlace(matrix, next((code for code in codes if code not in _NO_CODES), None))


def _keys(directory: tuple[int, ...]) -> dict[int, int]:
    """Values of the keys that stand in the directory itself: after its head of four, (key, tag or 0, count, value)."""
    entries = np.reshape(directory[4 : len(directory) // 4 * 4], (-1, 4)).astype(int).tolist()
    return {key: value for key, tag, _, value in entries if tag == 0}
