import keras
import numpy as np
import pytest
import tensorflow as tf

from ganime.training.optimizer import FusedAdam


@pytest.mark.parametrize(("beta_1", "beta_2", "epsilon"), [(0.0, 0.99, 1e-8), (0.5, 0.999, 1e-7), (0.9, 0.9, 0.1)])
def test_steps_and_state_are_those_of_keras(beta_1, beta_2, epsilon):
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype("float32") for shape in ((3, 5), (7,), ())]
    gradients = [[tf.constant(rng.normal(size=v.shape) * 10.0**-i, tf.float32) for v in start] for i in range(5)]
    results = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        variables = [keras.Variable(value) for value in start]
        optimizer = kind(0.01, beta_1, beta_2, epsilon)
        for step in gradients:
            optimizer.apply(step, variables)
        results.append([v.numpy() for v in (*variables, *optimizer.variables)])
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=3e-5)  # 1 - 0.999 in float32 is off by 1.3e-5


def test_amsgrad_is_that_of_keras():
    ends = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        variable, optimizer = keras.Variable([1.0]), kind(0.1, amsgrad=True)
        for gradient in (3.0, 0.1, 0.1):
            optimizer.apply([tf.constant([gradient])], [variable])
        ends.append(variable.numpy())
    assert ends[0] == ends[1]


def test_comes_back_from_its_config():
    optimizer = FusedAdam(0.01, 0.2, 0.3, 0.4)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is FusedAdam
    assert again.get_config() == optimizer.get_config()
