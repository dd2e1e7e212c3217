"""Files of settings, JSON or YAML: sections of named values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from ifcn_tf.common.files import UserError, read_json, read_text
from ifcn_tf.config.settings import require, require_known

_YAML = (".yaml", ".yml")
#: What plain words of a YAML file are, and with what they begin; all else is text. As YAML 1.2 has it (section 10.3.2),
#: in which 1e-4 is a number, and no and 2024-05-01 are text.
_PLAIN = {
    "null": ("null|~|", ["n", "~", ""]),
    "bool": ("true|false", list("tf")),
    "int": ("[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
}


def read_sections(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """The sections of a file of settings, as JSON types; of a name that ends with .yaml or .yml it is YAML.

    Raises:
        UserError: no such file, no such sections as are known, or neither JSON nor YAML; names the file.
    """
    values = _read_yaml(path) if path.suffix in _YAML else read_json(path)
    require(isinstance(values, dict), f"{path} holds no settings: give it named sections.")
    for name in values:
        require_known(f"{path}: the section", name, known)
    return values


def _read_yaml(path: Path) -> Any:
    import yaml  # here, so that those who have no such file need no PyYAML

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {}

        def compose_node(self, parent: Any, index: Any) -> Any:
            """As of any loader, but for aliases, of which a few lines can stand for any amount of memory."""
            if self.check_event(yaml.AliasEvent):
                raise yaml.MarkedYAMLError(None, None, "aliases are not taken", self.peek_event().start_mark)
            return super().compose_node(parent, index)

    for kind, (form, beginnings) in _PLAIN.items():
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"^({form})$"), beginnings)
    try:
        return json.loads(json.dumps(yaml.load(read_text(path), Loader)))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path} is not valid YAML: line {line}, {error.problem}.") from error
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid YAML of plain values: {' '.join(str(error).split())}.") from error
