"""Measures the average recall of proposals, of any method: COCO results against COCO, VOC or SBD truth.

Or, with --semantic, how right label images are.

python -m pipelines.evaluate --proposals=proposals.json --annotations=instances_val2017.json
python -m pipelines.evaluate --proposals=ours.json,theirs.json.gz --voc_root=VOCdevkit/VOC2012 --split=val
python -m pipelines.evaluate --semantic=segments/labels --voc_root=VOCdevkit/VOC2012 --split=val
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
from ifcn_tf.evaluation.run import Outputs, compare_runs, evaluate_files, evaluate_segmentation, method_names
from ifcn_tf.evaluation.segmentation import read_class_truth

from . import _cli, _truth

flags.adopt_module_key_flags(_truth)  # so that --help lists them

DEFAULT = EvaluationConfig()

PROPOSALS = flags.DEFINE_list(
    "proposals", [], "COCO results, a method each: a JSON file or quoted pattern of parts, gzipped or not."
)
INSTANCES = flags.DEFINE_bool("instances", False, "Measure masks with categories, by mAP^r and COCO's AP.")
SEMANTIC = flags.DEFINE_string("semantic", None, "Instead of --proposals: a folder of label images, as segment writes.")
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
_OF_RECALL = (NUM_PROPOSALS, BACKEND, PUBLISHED_ON, SHOW, IMAGES, TENSORBOARD, STEP)
_OF_TRUTH = (PROPOSALS, INSTANCES, SEMANTIC, _truth.PROTOCOL, *_OF_RECALL)


def main() -> None:
    """Flags -> truth and proposals -> files."""
    config = EvaluationConfig(num_proposals=_cli.integers(NUM_PROPOSALS), resamples=RESAMPLES.value, seed=SEED.value)
    if COMPARE.value and len(COMPARE.value) != 2:
        raise UserError("--compare takes two files: --compare A.json B.json.")
    if COMPARE.value and not (_truth.ANNOTATIONS.value or _truth.VOC_ROOT.value):
        _cli.refuse(
            _OF_TRUTH, "leave out, or give the truth (--annotations, --voc_root): two metrics.json are compared"
        )
        path_a, path_b = COMPARE.value
        compare_runs(path_a, path_b, config, Path(OUTPUT.value))
        return
    if SEMANTIC.value:
        _evaluate_semantic(Path(SEMANTIC.value), config)
        return
    if INSTANCES.value:
        _cli.refuse((COMPARE, *_OF_RECALL), "of recall, leave out with --instances, which measures mAP^r and COCO's AP")
    proposals = COMPARE.value or PROPOSALS.value
    if not proposals:
        raise UserError("give the proposals to evaluate: --proposals=FILE.json (see --help).")
    truth = _truth.truth()
    if INSTANCES.value:
        evaluate_instance_files(method_names(proposals), truth, config, Path(OUTPUT.value))
        return
    show, images, tensorboard = (Path(flag.value) if flag.value else None for flag in (SHOW, IMAGES, TENSORBOARD))
    if tensorboard:
        _cli.import_tensorflow()  # tensorboard loads it, and this keeps it quiet
    published = PUBLISHED[PUBLISHED_ON.value] if PUBLISHED_ON.value else ()
    outputs = Outputs(Path(OUTPUT.value), published, show, images, tensorboard, STEP.value)
    evaluate_files(method_names(proposals), truth, config, MATCHERS[BACKEND.value], outputs)


def _evaluate_semantic(answers: Path, config: EvaluationConfig) -> None:
    others = (PROPOSALS, INSTANCES, COMPARE, _truth.PROTOCOL, *_OF_RECALL)
    _cli.refuse(others, "of proposals, leave out with --semantic, which measures label images")
    truth = read_class_truth(answers, _truth.ANNOTATIONS.value, _truth.VOC_ROOT.value, _truth.SPLIT.value)
    evaluate_segmentation(answers, truth, config, Path(OUTPUT.value))


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
