"""Adds proposals to prepared data, on which a classifier of proposals is trained.

python -m pipelines.prepare_regions --data=prepared/voc --output=prepared/voc_regions
python -m pipelines.prepare_regions --data=prepared/voc --output=prepared/own --weights=runs/own/best/model.weights.h5

The proposals are made once, by a network that stays as it is; the same network has to propose what is classified.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from . import _cli, _network

flags.adopt_module_key_flags(_network)  # so that --help lists them
DATA = flags.DEFINE_string("data", None, "Prepared folder.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "New folder: the same photographs, with proposals.", required=True)
#: Proposals a photograph, unless --num_proposals says so: the paper's N.
_COUNT = 300


def main() -> None:
    """Flags -> network -> prepared data with proposals."""
    arguments = {"num_proposals": _COUNT, **_network.arguments()}
    named = arguments["weights"] or arguments["backbone_weights"]
    print(f"adding proposals of {named} to {DATA.value}, into {OUTPUT.value}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.proposing.network import load_network
    from ifcn_tf.training.regions import prepare_regions

    count = prepare_regions(*load_network(**arguments), Path(DATA.value), Path(OUTPUT.value))
    print(f"wrote {count} proposals into {OUTPUT.value}")


if __name__ == "__main__":
    _cli.run(main)
