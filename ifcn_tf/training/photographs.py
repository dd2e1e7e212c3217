"""Whole photographs out of prepared data, with their objects: what validation and pictures look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.config import DataConfig
from ifcn_tf.data.example import rle_of
from ifcn_tf.data.pipeline import training_example
from ifcn_tf.data.records import Records, parse
from ifcn_tf.masks import Rle
from ifcn_tf.proposals import Proposals
from ifcn_tf.training.pictures import Subject

#: Examples in which `find_subject` looks for positive windows.
_TRIES = 100


def find_subject(data: Sequence[Path], config: DataConfig) -> Subject:
    """The first photograph of prepared data with a few positive windows, always the same.

    Raises:
        UserError: a folder cannot be used.
    """
    records = Records.open(data)
