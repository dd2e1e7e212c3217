"""Conditions of a request inside a graph: where one does not hold, nothing that depends on it is computed."""

from __future__ import annotations

import tensorflow as tf


def provided(condition: tf.Tensor, sentence: str, value: tf.Tensor) -> tf.Tensor:
    """The value itself; whatever is computed of it waits for the condition.

    An assertion alone does not do that: a graph runs everything that needs no result of it at the same time.

    Args:
        condition: bool scalar; if false, the request fails with an InvalidArgumentError that has the sentence.
        sentence: what is wrong and what to do.
        value: any tensor.
    """
    with tf.control_dependencies([tf.debugging.Assert(condition, [sentence])]):
        return tf.identity(value)
