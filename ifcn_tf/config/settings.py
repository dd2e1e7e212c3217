"""What all settings share: checks, and the way to and from JSON."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import itertools
import math
import textwrap
from collections.abc import Iterable
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from ifcn_tf.common.files import UserError


def require(condition: bool, message: str) -> None:
    """Raises UserError with the message unless the condition holds."""
    if not condition:
        raise UserError(message)


def require_amount(name: str, value: float) -> None:
    """Raises UserError unless the value of the setting `name` is 0 or more and finite."""
    require(0 <= value < math.inf, f"{name} must be 0 or more and finite, not {value}.")


def require_known(name: str, value: Any, known: Iterable[str]) -> None:
    """Raises UserError, with the nearest one, unless the value of the setting `name` is one of those known."""
    if value not in list(known):  # a value of JSON need not be hashable
        nearest = difflib.get_close_matches(str(value), known, 1)
        hint = f"the nearest is {nearest[0]}" if nearest else f"there are {', '.join(known)}"
        raise UserError(f"{name} {value!r} is not known: {hint}.")


_TYPE_NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    tuple: "a list such as [1, 2]",
}


def _typed(name: str, value: Any, annotation: Any) -> Any:
    """A value of the type that a setting is annotated with; raises UserError on another type."""
    kind = str if get_origin(annotation) is Literal else get_origin(annotation) or annotation
    if kind is tuple and isinstance(value, list | tuple):
        return tuple(_typed(name, item, get_args(annotation)[0]) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    require(type(value) is kind, f"{name} must be {_TYPE_NAMES[kind]}, not {value!r}.")
    return value


class Settings:
    """JSON round trip for frozen dataclasses of plain fields."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as plain JSON types."""
        fields = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Builds the configuration from `to_dict`'s output; raises UserError on an unknown name or a wrong type."""
        hints = get_type_hints(cls)
        annotations = {field.name: hints[field.name] for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(annotations))
        require(
            not unknown,
            f"{', '.join(unknown)}: {cls.__name__} has no such setting; it has {', '.join(sorted(annotations))}.",
        )
        return cls(**{name: _typed(name, value, annotations[name]) for name, value in values.items()})


def descriptions(settings: type[Settings]) -> dict[str, str]:
    """What stands below each field of some settings, by the field's name, on one line; read from the source."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    return {
        field.target.id: " ".join(ast.literal_eval(text.value).split())
        for field, text in itertools.pairwise(getattr(definition, "body", ()))
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr)
    }
