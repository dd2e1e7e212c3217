"""The file in which a run says of itself how its proposals came about, read to do it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ifcn_tf.common.files import UserError
from ifcn_tf.config.files import read_sections
from ifcn_tf.config.proposing import PromptConfig, ProposerConfig, ShownConfig
from ifcn_tf.config.settings import require

#: Its name, and its section on where images and network are.
RUN, PLACES = "run.json", "places"
#: What it says besides: of the weights their hash, of the images their folders, and what named the proposals.
_RECORDS = ("weights", "images", "classifier", "categories")
#: Its other sections: the type in JSON, and what makes the value of it.
_SECTIONS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "proposer": (dict, ProposerConfig.from_dict),
    "precision": (str, str),
    "shown": (dict, ShownConfig.from_dict),
    "prompt": (dict, PromptConfig.from_dict),
    "formats": (list, tuple),
    "simplify": ((int, float), float),
    PLACES: (dict, dict),
}
_TYPE_NAMES: dict[Any, str] = {dict: "section of settings", str: "word", list: "list", (int, float): "number"}


@dataclasses.dataclass(frozen=True)
class RunFile:
    """What a run can be repeated by; what its file does not say is None, empty or the default.

    Attributes:
        proposer: how an image becomes proposals; None leaves that to the network's own settings.
        precision: arithmetic of the convolutions.
        shown: which proposals pictures and formats show.
        prompt: which proposals are wanted.
        formats: names of `FORMATS`.
        simplify: largest distance of polygons from the outlines of masks [px].
        places: which images, and which network; by the names of the command's flags.
    """

    proposer: ProposerConfig | None = None
    precision: str = "auto"
    shown: ShownConfig = dataclasses.field(default_factory=ShownConfig)
    prompt: PromptConfig = dataclasses.field(default_factory=PromptConfig)
    formats: tuple[str, ...] = ("overlays",)
    simplify: float = 0.0
    places: dict[str, Any] = dataclasses.field(default_factory=dict)


def read_run_file(path: Path) -> RunFile:
    """Reads the run.json of `propose`, or what its `--print_config` printed; JSON or YAML.

    Raises:
        UserError: no such file, no file of such sections, or a wrong setting in one; names the file.
    """
    values = read_sections(path, [*_SECTIONS, *_RECORDS])
    made = {}
    for name in _SECTIONS.keys() & values.keys():
        kind, make = _SECTIONS[name]
        require(isinstance(values[name], kind), f"{path}: {name} is no {_TYPE_NAMES[kind]}.")
        try:
            made[name] = make(values[name])
        except UserError as error:
            raise UserError(f"{path}: {name}.{error}") from error
    return RunFile(**made)
