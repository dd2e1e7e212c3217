"""Trains what tells, of one scale of an image, which part of the two finest ones is worth a look: a focus.

python -m pipelines.train_focus --weights=scored/model.weights.h5 --data=prepared/mine --output=focused

A photograph is done in about two thirds of the time. All objects of the data must be labelled.
"""

from __future__ import annotations

from absl import flags

from . import _beside, _cli

flags.adopt_module_key_flags(_beside)


def main() -> None:
    """Flags -> features and sizes of objects -> focus."""
    arguments = _beside.begin("a focus")
    from ifcn_tf.training.focusing import train_focus

    focus, trust = train_focus(**arguments)
    for side, share, found in zip(focus.sides, trust.shares, trust.found, strict=True):
        print(f"{side} px: {share:.2f} of a held-out photograph is looked at, and {found:.2f} of what fits is there")
    _beside.end()


if __name__ == "__main__":
    _cli.run(main)
