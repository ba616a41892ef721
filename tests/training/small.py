"""A GAN whose step takes no time, once it is traced."""

import functools

import keras
import numpy as np

import ganime

PICTURES = np.random.default_rng(1).uniform(-1, 1, (8, 8, 8, 3)).astype(np.float32)
LOGGED = {"d_loss", "d_accuracy", "real_loss", "fake_loss", "real_score", "fake_score", "g_loss"}
layers = keras.layers


def small_networks():
    drawing = [keras.Input((4,)), layers.Dense(192, activation="tanh"), layers.Reshape((8, 8, 3))]
    judging = [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1)]
    return keras.Sequential(drawing, name="generator"), keras.Sequential(judging, name="discriminator")


def make_small_gan(**settings):
    keras.utils.set_random_seed(1)
    gan = ganime.GAN(*small_networks(), ema_half_life=20, seed=3)
    gan.compile(**({"g_optimizer": "sgd", "d_optimizer": "sgd"} | settings))
    return gan


@functools.cache
def _one_gan():
    gan = make_small_gan()
    variables = [*gan.variables, *gan.optimizer.variables]
    return gan, [(variable, variable.numpy()) for variable in variables]


def small_gan():
    """The same one each time, as it was made."""
    gan, start = _one_gan()
    for variable, value in start:
        variable.assign(value)
    gan._initial_epoch = None
    return gan
