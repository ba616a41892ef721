"""GANs whose step takes no time, once it is traced."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import ganime
from ganime.training.engine import Engine

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
def _one_gan(traced):
    gan = make_small_gan()
    if traced:
        trace_once(gan)
    return gan, state_of(gan)


def small_gan(traced=False):
    """The same one each time, as it was made; `traced` for `ganime.training.loop.train`, which traces a step in each call."""
    gan, start = _one_gan(traced)
    restore(start)
    gan._initial_epoch = None
    return gan


def trace_once(gan):
    """How the average is updated is traced too, and depends on whether it is settled."""
    steps = {settled: tf.function(gan.train_step, autograph=False) for settled in (False, True)}
    vars(gan)["train_step"] = lambda data: steps[gan.averaged_generator.settled](data)


def state_of(gan):
    """All variables and their values."""
    return [(variable, variable.numpy()) for variable in (*gan.variables, *gan.optimizer.variables)]


def restore(state):
    for variable, value in state:
        variable.assign(value)


_built = {}


def build_once(recipe, seed=0, engine=None):
    """What `build_gan` gives, the same one each time, as it was made; most of a short training's time is taken by tracing."""
    engine = engine or Engine()
    key = repr((recipe, seed, engine.precision, bool(engine.jit_compile), engine.strategy, engine.sync_batch_norm))
    if key not in _built:
        gan = ganime.build_gan(recipe, seed, engine)
        trace_once(gan)
        _built[key] = gan, state_of(gan)
    gan, start = _built[key]
    gan.averaged_generator.settled = False
    gan.steps_per_execution = engine.steps_per_execution or 1
    restore(start)
    keras.utils.set_random_seed(seed)
    return gan


@pytest.fixture(scope="module", autouse=True)
def one_gan():
    """For modules that import it: `fit` trains one model for each recipe, built and traced once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganime.training.fit.build_gan", build_once)
        yield
