"""What a reader of an average recall should know about the proposals behind it."""

from __future__ import annotations

from collections.abc import Sequence

from ifcn_tf.common.ids import examples
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.results.reader import Results


def notes_on(results: Results, truth: Truth, limits: Sequence[int], duplicates: int) -> list[str]:
    """Sentences about missing images, too few proposals and duplicates; none if there is nothing to say."""
    counts = results.counts()
    evaluated = {image.image_id: counts[image.image_id] for image in truth.images}
    notes = []
    if outside := len(results) - sum(evaluated.values()):
        notes.append(f"{outside} proposals are of images that are not evaluated, and were left out")
    if missing := [image_id for image_id, count in evaluated.items() if not count]:
        notes.append(f"{len(missing)} of {len(evaluated)} images have no proposal at all ({examples(missing)})")
    for limit in limits:
        if few := [count for count in evaluated.values() if count < limit]:
            notes.append(
                f"{len(few)} of {len(evaluated)} images have fewer than {limit} proposals (fewest: {min(few)})"
            )
    if duplicates:
        notes.append(f"{duplicates} proposals repeat another one, mask, box and score, and were left out")
    return notes
