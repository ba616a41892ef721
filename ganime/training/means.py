"""Means over the steps of an epoch or of an evaluation."""

import numpy as np
import tensorflow as tf


class Means:
    """Means of named values over the steps since the last reset. Not a Keras metric, which would be part of a saved state.

    Args:
        names: Of the values.
    """

    def __init__(self, names):
        self.names = tuple(names)
        over_replicas = {"synchronization": tf.VariableSynchronization.ON_READ, "aggregation": tf.VariableAggregation.SUM}
        zeros = tf.zeros((2, len(self.names)), tf.float64)
        self._totals_and_counts = tf.Variable(zeros, trainable=False, **over_replicas)
        self.steps = tf.Variable(tf.zeros((), tf.int64), trainable=False, **over_replicas)

    def update(self, values: dict[str, tf.Tensor], counted: dict[str, tf.Tensor] | None = None) -> None:
        """Add a step's values, float32 scalars, but those that `counted` says are not to count."""
        counts = [(counted or {}).get(name, True) for name in self.names]
        rows = [[values[name] for name in self.names], counts]
        self._totals_and_counts.assign_add(tf.stack([tf.stack([tf.cast(x, tf.float64) for x in row]) for row in rows]))
        self.steps.assign_add(1)

    def reset(self) -> None:
        """Begin again."""
        self._totals_and_counts.assign(tf.zeros_like(self._totals_and_counts))
        self.steps.assign(0)

    def result(self) -> dict[str, float]:
        """The means, of what was never counted 0; empty if there was no step."""
        totals, counts = tf.convert_to_tensor(self._totals_and_counts).numpy()
        means = totals / np.maximum(counts, 1)
        return dict(zip(self.names, means.tolist(), strict=True)) if counts.any() else {}
