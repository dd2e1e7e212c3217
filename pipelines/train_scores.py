"""Trains what tells how good a proposal is, the IoU with an object to expect of it, and makes that its score.

python -m pipelines.train_scores --weights=runs/first/best/model.weights.h5 --data=prepared/held_out --output=scored

Photographs that the network was not trained on are best: of others it is too sure.
"""

from __future__ import annotations

from absl import flags

from . import _beside, _cli

flags.adopt_module_key_flags(_beside)


def main() -> None:
    """Flags -> proposals and their IoU -> score head."""
    arguments = _beside.begin("scores")
    from ifcn_tf.training.scores import train_scores

    found = train_scores(**arguments)
    print(f"expected calibration error {found.error:.3f} on photographs that a head was not trained on")
    _beside.end()


if __name__ == "__main__":
    _cli.run(main)
