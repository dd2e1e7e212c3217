"""Makes a table of the paper: trains its rows, lets them propose, measures them, and writes table and figures.

python -m pipelines.reproduce --table=1 --data=prepared/coco:3,prepared/voc --images=val --annotations=val.json \\
    --output=reproduced
The same command goes on after an interruption. Tables share what they need of each other's rows.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from ifcn_tf.data.shares import folders_and_shares
from ifcn_tf.experiments.setup import Setup
from ifcn_tf.experiments.tables import BASES, TABLES

from . import _cli, _truth

flags.adopt_module_key_flags(_truth)  # so that --help lists them

TABLE = flags.DEFINE_enum("table", None, list(TABLES), "Number of the table in the paper.", required=True)
DATA = flags.DEFINE_list(
    "data", None, "Prepared folders to train on, each maybe with a :share, as of train.", required=True
)
IMAGES = flags.DEFINE_string("images", None, "Folder of the photographs that the truth is of.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder of rows, proposals and tables.", required=True)
BUDGET = flags.DEFINE_integer("budget", 10_000, "Images that each network sees in training.", 1)
TRUNK = flags.DEFINE_enum("trunk", "efficientnet_lite2", list(BASES), "What all networks stand on.")
BACKBONE = flags.DEFINE_string("backbone_weights", "imagenet", "'imagenet', or a file of the trunk's ImageNet weights.")
RESULTS = flags.DEFINE_list(
    "results", [], "ROW=FILE.json, COCO results that stand for a row: mcg=mcg.json,mnc=mnc.json."
)


def main() -> int:
    """Flags -> table."""
    table = TABLES[TABLE.value]
    truth = _truth.truth()
    data, shares = folders_and_shares(DATA.value)
    setup = Setup(BASES[TRUNK.value], BUDGET.value, data, shares, BACKBONE.value, Path(OUTPUT.value))
    print(f"table {TABLE.value}, {table.title}: {', '.join(row.title for row in table.rows)}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.experiments.run import reproduce

    signal = reproduce(TABLE.value, table, truth, Path(IMAGES.value), setup, RESULTS.value)
    if signal is not None:
        print("stopped; the same command goes on from the last checkpoint")
        return 128 + signal
    return 0


if __name__ == "__main__":
    _cli.run(main)
