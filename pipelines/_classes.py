"""The flag that gives proposals names: the same for every command that may."""

from __future__ import annotations

from absl import flags

CLASSIFY = flags.DEFINE_string(
    "classify",
    None,
    "Name the proposals: a *.weights.h5 file of mask_classifier, or voc, the bundled one where it is installed.",
)
