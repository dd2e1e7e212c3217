"""Measures the average recall of proposals, of any method: COCO results against COCO, VOC or SBD truth.

python -m pipelines.evaluate --proposals=proposals.json --annotations=instances_val2017.json
python -m pipelines.evaluate --proposals=ours.json,theirs.json.gz --voc_root=VOCdevkit/VOC2012 --split=val
python -m pipelines.evaluate --compare earlier/metrics.json later/metrics.json
python -m pipelines.evaluate --instances --proposals=named.json --voc_root=VOCdevkit/VOC2007    (masks with categories)
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.instances_report import evaluate_instance_files
from ifcn_tf.evaluation.matching import MATCHERS
from ifcn_tf.evaluation.protocols import PUBLISHED
from ifcn_tf.evaluation.run import Outputs, compare_runs, evaluate_files, method_names

from . import _cli, _truth

flags.adopt_module_key_flags(_truth)  # so that --help lists them

DEFAULT = EvaluationConfig()

PROPOSALS = flags.DEFINE_list(
    "proposals", [], "COCO results, a method each: a JSON file or quoted pattern of parts, gzipped or not."
)
INSTANCES = flags.DEFINE_bool("instances", False, "Measure masks with categories, by mAP^r and COCO's AP.")
OUTPUT = flags.DEFINE_string("output", "evaluation_output", "Folder for metrics.json, metrics.csv and the plots.")
NUM_PROPOSALS = flags.DEFINE_list(
    "num_proposals", [str(limit) for limit in DEFAULT.num_proposals], "Proposals an image at which recall is measured."
)
BACKEND = flags.DEFINE_enum("backend", "pycocotools", list(MATCHERS), "What matches; both give the same numbers.")
PUBLISHED_ON = flags.DEFINE_enum("published", None, list(PUBLISHED), "Draw the papers' numbers beside these.")
SHOW = flags.DEFINE_string("show", None, "Folder for pictures: best proposals, missed objects, worst images first.")
IMAGES = flags.DEFINE_string("images", None, "With --show: folder of the photographs, where it is not the usual one.")
TENSORBOARD = flags.DEFINE_string("tensorboard", None, "Folder for TensorBoard scalars.")
STEP = flags.DEFINE_integer("step", 0, "With --tensorboard: training step that the scalars belong to.", 0)
RESAMPLES = flags.DEFINE_integer("resamples", DEFAULT.resamples, "Bootstrap resamples of the images.")
SEED = flags.DEFINE_integer("seed", DEFAULT.seed, "Of the bootstrap.")
COMPARE = flags.DEFINE_list(
    "compare", [], "Paired difference of two: metrics.json of earlier runs or, where the truth is given, proposals."
)


def main() -> None:
    """Flags -> truth and proposals -> files."""
    config = EvaluationConfig(num_proposals=_cli.integers(NUM_PROPOSALS), resamples=RESAMPLES.value, seed=SEED.value)
    if COMPARE.value and len(COMPARE.value) != 2:
        raise UserError("--compare takes two files: --compare A.json B.json.")
    if COMPARE.value and not (_truth.ANNOTATIONS.value or _truth.VOC_ROOT.value):
        path_a, path_b = COMPARE.value
        compare_runs(path_a, path_b, config, Path(OUTPUT.value))
        return
    proposals = COMPARE.value or PROPOSALS.value
    if not proposals:
        raise UserError("give the proposals to evaluate: --proposals=FILE.json (see --help).")
    truth = _truth.truth()
    if INSTANCES.value:
        return evaluate_instance_files(method_names(proposals), truth, config, Path(OUTPUT.value))
    show, images, tensorboard = (Path(flag.value) if flag.value else None for flag in (SHOW, IMAGES, TENSORBOARD))
    if tensorboard:
        _cli.import_tensorflow()  # tensorboard loads it, and this keeps it quiet
    published = PUBLISHED[PUBLISHED_ON.value] if PUBLISHED_ON.value else ()
    outputs = Outputs(Path(OUTPUT.value), published, show, images, tensorboard, STEP.value)
    evaluate_files(method_names(proposals), truth, config, MATCHERS[BACKEND.value], outputs)


def _join_compared(arguments: list[str]) -> list[str]:
    """--compare A B -> --compare=A,B; flags of absl take one value."""
    if "--compare" not in arguments:
        return arguments
    at = arguments.index("--compare")
    files = list(itertools.takewhile(lambda argument: not argument.startswith("-"), arguments[at + 1 : at + 3]))
    return [*arguments[:at], f"--compare={','.join(files)}", *arguments[at + 1 + len(files) :]]


if __name__ == "__main__":
    sys.argv = _join_compared(sys.argv)
    _cli.run(main)
