"""The flags of `propose` when its settings start from those of a run."""

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import PromptConfig, ProposerConfig, ShownConfig
from ifcn_tf.results.run_file import RunFile
from pipelines import _images, _network, propose


@pytest.fixture
def command():
    """The flags of `propose` as they are after a command line; as before when the test ends."""
    flags, holders = propose.flags.FLAGS, (*propose._PLACES, *COMMON)
    saved = {holder.name: flags[holder.name].__dict__.copy() for holder in holders}
    flags(["propose"])
    yield lambda *arguments: flags(["propose", *arguments])
    flags.unparse_flags()
    for name, state in saved.items():
        flags[name].__dict__.update(state)


COMMON = (
    *(_images.COUNT, _images.MIN_SCORE, _images.POINT, _images.BOX, _images.OVERLAY, _images.FORMAT, _images.SIMPLIFY),
    *(_network.PRECISION, _network.SHORTER_SIDES, propose.CONFIG, *_network.SETTINGS),
)
RUN = RunFile(
    ProposerConfig(nms_iou=0.7, scale_factors=(0.5, 1.0)),
    "float32",
    ShownConfig(3, 0.1, 0.5),
    PromptConfig((1.0, 2.0), (0.0, 0.0, 9.0, 9.0)),
    ("cutouts", "csv", "labelme"),
    1.5,
    {"images": ["photos/"], "model": "vgg16"},
)


def test_flags_have_the_values_of_the_run(command):
    command()
    propose._start_from(RUN)
    assert (_images.IMAGES.value, _images.output(RUN.shown).formats) == (["photos/"], ["cutouts", "csv", "labelme"])
    assert _images.SIMPLIFY.value == RUN.simplify
    assert _images.output(RUN.shown).shown == RUN.shown and _images._prompt() == RUN.prompt
    arguments = _network.arguments(RUN.proposer)
    assert (arguments["precision"], arguments["weights"].parent.name) == ("float32", "vgg16")
    assert ProposerConfig.from_dict({name: arguments[name] for name in RUN.proposer.to_dict()}) == RUN.proposer


def test_the_command_line_goes_before_the_run(command):
    command("--distinct=5", "--weights=mine.h5", "--images=other", "--shorter_sides=119", "--overlay=none")
    propose._start_from(RUN)
    assert (_images.IMAGES.value, _images.output(RUN.shown).formats) == (["other"], ["csv", "labelme"])
    assert _images.output(RUN.shown).shown == ShownConfig(5, 0.1, 0.5)
    arguments = _network.arguments(RUN.proposer)
    assert (arguments["weights"], arguments["nms_iou"]) == ("mine.h5", 0.7)
    assert (arguments["shorter_sides"], arguments["scale_factors"]) == ([119], [])


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (RunFile(precision="float64"), "float64"),
        (RunFile(formats=("xml",)), "xml"),
        (RunFile(simplify=-1.0), "simplify"),
        (RunFile(places={"modle": "vgg16"}), "modle"),
        (RunFile(places={"k": "x"}), "x"),
    ],
)
def test_values_of_no_use_are_refused(command, run, sentence):
    command("--config=run.json")
    with pytest.raises(UserError, match=rf"run\.json: .*{sentence}"):
        propose._start_from(run)
