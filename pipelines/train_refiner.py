"""Trains what corrects the masks of proposals, by features of the network and by the picture: a refiner.

python -m pipelines.train_refiner --weights=runs/first/best/model.weights.h5 --data=prepared/mine --output=refined

Train scores after it, since they are of the masks that it makes.
"""

from __future__ import annotations

from absl import flags

from . import _beside, _cli

flags.adopt_module_key_flags(_beside)


def main() -> None:
    """Flags -> proposals and their objects -> refiner."""
    arguments = _beside.begin("a refiner")
    from ifcn_tf.training.refining import train_refiner

    found = train_refiner(**arguments)
    print(f"mean IoU {found.after:.3f} for {found.before:.3f}, of proposals near objects that it was not trained on")
    _beside.end()


if __name__ == "__main__":
    _cli.run(main)
