"""Average recall of a network in training: photographs that hold nothing to find are no obstacle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ifcn_tf.annotations.shapes import shapes_source
from ifcn_tf.data.photographs import photographs
from ifcn_tf.data.prepare import Report, records_writer
from ifcn_tf.masks.rle import encode
from ifcn_tf.proposals import Proposals
from ifcn_tf.training.validation import average_recalls


@pytest.fixture
def folder(tmp_path):
    """Three scenes: of one object, of none, and of a crowd alone."""
    source = shapes_source(3, seed=0)
    first, second, third = (job().example for job in source.jobs)
    crowd = dataclasses.replace(third.objects[0], is_crowd=True)
    examples = [
        dataclasses.replace(first, objects=first.objects[:1]),
        dataclasses.replace(second, objects=()),
        dataclasses.replace(third, objects=(crowd,)),
    ]
    records_writer(source, tmp_path / "scenes", 1)(examples, Report(images=3))
    return tmp_path / "scenes"


def test_photographs_without_objects_are_read(folder):
    found = list(photographs([folder], 3))
    assert [len(example.objects) for example in found] == [1, 0, 1]
    assert [example.crowd.tolist() for example in found] == [[False], [], [True]]


def test_photographs_without_objects_change_no_recall(folder):
    """The only object is proposed second of ten, so that ten proposals recall it at all thresholds."""
    (example,) = photographs([folder], 1)

    def propose(image):
        rles = [encode(np.ones(image.shape[:2], bool))] * 10
        rles[1] = example.rles[0] if image.shape[:2] == example.size_hw else rles[0]
        return Proposals(image.shape[:2], np.linspace(1, 0, 10), rles)

    def propose_nothing(image):
        return Proposals(image.shape[:2], np.zeros(0), [])

    names = ("ar@10", "ar@100", "ar@1000")
    assert average_recalls(propose, photographs([folder], 3)) == dict.fromkeys(names, 100)
    assert average_recalls(propose_nothing, photographs([folder], 3)) == dict.fromkeys(names, 0)
