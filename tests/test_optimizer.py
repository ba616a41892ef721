import keras
import numpy as np
import pytest
import tensorflow as tf

from ganime.optimizer import FusedAdam
from ganime.training import build_gan


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
    optimizer = FusedAdam(0.01, 0.2, 0.3, 0.4, equalized_rms=0.5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is FusedAdam
    assert again.get_config() == optimizer.get_config()


def test_equalized_kernels_move_by_the_same_share():
    first = [np.full((2, 3), size, "float32") for size in (0.5, -0.01)] + [np.full(3, 0.3, "float32")]
    variables = [keras.Variable(value) for value in first]
    optimizer = FusedAdam(0.001, equalized_rms=0.05)
    for _ in range(3):  # Adam's first steps on a constant gradient are of the learning rate
        optimizer.apply([tf.ones(v.shape) for v in variables], variables)
    moved = [value - variable.numpy() for value, variable in zip(first, variables, strict=True)]
    np.testing.assert_allclose(moved[0], 0.03, rtol=1e-4)
    np.testing.assert_allclose(moved[1], 0.0006, rtol=1e-4)
    np.testing.assert_allclose(moved[2], 0.003, rtol=1e-4)


def test_equalized_rates_are_part_of_the_state(tiny, tmp_path):
    gans = [build_gan(tiny.override("equalized_rms=0.01"), seed) for seed in (0, 1)]
    gans[0].save_weights(tmp_path / "state.weights.h5")
    gans[1].load_weights(tmp_path / "state.weights.h5")
    rates = [gan.g_optimizer.variables[-1].numpy() for gan in gans]
    assert np.ptp(rates[0]) > 0
    np.testing.assert_array_equal(*rates)
