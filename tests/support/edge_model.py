"""A forest for OpenCV's edge detector that finds edges where the colour changes fast: one question, two leaves."""

from pathlib import Path

PATCH, INNER, SHRINK, ORIENTATIONS = 32, 16, 2, 4
#: Features of a patch are 16 x 16 cells of each channel; channel 3 is the length of the gradient.
CELLS = PATCH // SHRINK
MIDDLE_OF_GRADIENT = 3 * CELLS**2 + (CELLS // 2) * CELLS + CELLS // 2

#: How often a leaf names a pixel: each time adds 1 / 32 to the edge there.
STRENGTH = 24


def write_edge_model(path: Path, threshold: float = 0.4) -> Path:
    """Writes it as `model.yml`: leaf 1 has no edge, leaf 2 one at the four pixels in the middle of the patch."""
    options = {
        "stride": 2,
        "shrinkNumber": SHRINK,
        "patchSize": PATCH,
        "patchInnerSize": INNER,
        "numberOfGradientOrientations": ORIENTATIONS,
        "gradientSmoothingRadius": 0,
        "regFeatureSmoothingRadius": 2,
        "ssFeatureSmoothingRadius": 8,
        "gradientNormalizationRadius": 4,
        "selfsimilarityGridSize": 5,
        "numberOfTrees": 1,
        "numberOfTreesToEvaluate": 1,
    }
    middle = [(INNER // 2 + dy) * INNER + INNER // 2 + dx for dy in (-1, 0) for dx in (-1, 0)]
    lines = ["%YAML:1.0", "---", "options:", *(f"   {name}: {value}" for name, value in options.items())]
    lines += ["childs:", "   - [ 2, 0, 0 ]", "featureIds:", f"   - [ {MIDDLE_OF_GRADIENT}, 0, 0 ]"]
    lines += ["thresholds:", f"   - [ {threshold}, 0., 0. ]", "edgeBoundaries:", f"   - [ 0, 0, 0, {STRENGTH * 4} ]"]
    lines += ["edgeBins:", f"   - {STRENGTH * middle}"]
    path.write_text("\n".join(lines) + "\n")
    return path
