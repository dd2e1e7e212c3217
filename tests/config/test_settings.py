"""Values from JSON become the types that the fields are annotated with, or are refused."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import Precision
from ifcn_tf.config.proposing import PromptConfig
from ifcn_tf.config.settings import Settings, descriptions


@dataclasses.dataclass(frozen=True)
class Example(Settings):
    kind: ClassVar[str] = "no setting"
    counts: tuple[int, ...] = ()
    ratios: tuple[float, ...] = ()
    precision: Precision = "auto"


def test_lists_become_tuples_of_the_type_that_is_annotated_even_where_none_is_given():
    found = Example.from_dict({"counts": [2, 3], "ratios": [1, 0.5], "precision": "float32"})
    assert found == Example((2, 3), (1.0, 0.5), "float32")
    assert [type(ratio) for ratio in found.ratios] == [float, float]
    assert Example.from_dict({"counts": [], "ratios": ()}) == Example()
    assert Example.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"ratios": 0.5}, r"ratios must be a list such as \[1, 2\], not 0\.5\."),
        ({"ratios": [0.5, "x"]}, "ratios must be a number, not 'x'"),
        ({"ratios": [True]}, "ratios must be a number, not True"),
        ({"counts": [0.5]}, r"counts must be a whole number, not 0\.5"),
        ({"counts": None}, r"counts must be a list such as \[1, 2\], not None"),
        ({"precision": 32}, "precision must be a word, not 32"),
        ({"ratio": [1]}, "ratio: Example has no such setting; it has counts, precision, ratios"),
        ({"kind": "x"}, "kind: Example has no such setting"),
    ],
)
def test_other_types_end_with_one_sentence(values, sentence):
    with pytest.raises(UserError, match=sentence):
        Example.from_dict(values)


def test_fields_are_described_by_what_stands_below_them():
    assert descriptions(PromptConfig) == {
        "point": "Only masks that cover this point: y, x [px].",
        "box_yxyx": "Only masks that lie in this box: top, left, bottom, right [px].",
    }
    assert descriptions(Example) == {}
