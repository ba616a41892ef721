"""A GAN after a recipe; and the other way round, which fields of a recipe networks come from."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import fields

import keras
import numpy as np
import tensorflow as tf

from ganime.bounds import check_whole, suggest
from ganime.errors import GanimeError, InputError
from ganime.labels import labels_of
from ganime.networks import build_discriminator, build_generator
from ganime.networks.dcgan import keeps_side
from ganime.recipes import RECIPES, Recipe, get_recipe
from ganime.training.checks import batch_multiple
from ganime.training.engine import DTYPE_POLICIES, Engine, dtype_policy
from ganime.training.gan import GAN
from ganime.training.optimizer import FusedAdam

_SHARED = ("image_size", "bias", "norm_momentum", "norm_epsilon", "initializer", "labels")
_GENERATOR = ("latent_size", "generator_widths", "generator_depth", "generator_slope")
# The fields of a recipe that say what networks are built, but not how they are trained.
NETWORK_FIELDS = (
    *_SHARED,
    *_GENERATOR,
    *("discriminator_widths", "discriminator_slopes", "discriminator_norm", "head_channels", "minibatch_deviation"),
)
# Those of a training that count pictures from first weights on, with their values for networks that have been trained already.
TRAINED = {"feature_after": 0, "r1_fall": 0}
_INITIALIZERS = {"VarianceScaling": "torch", "GlorotUniform": "glorot", "RandomNormal": "normal"}


def build_gan(recipe: Recipe | str | Mapping, seed: int = 0, engine: Engine | None = None) -> GAN:
    """A compiled GAN after a recipe, the recipe of a name, or a dictionary of a recipe's fields; the same recipe and seed give
    the same first weights.

    Sets the global seeds of Python, NumPy and TensorFlow, from which Keras draws first weights, and turns one of TensorFlow's
    optimizations of graphs off.

    Raises:
        InputError: If there is no such recipe, or the seed is not a whole number from 0 to 2**32 - 1.

    Example:
        >>> build_gan(Recipe(generator_widths=(8,), discriminator_widths=(8,))).generator.output_shape
        (None, 64, 64, 3)
    """
    engine, recipe = engine or Engine(), as_recipe(recipe)
    check_whole(0, 2**32 - 1, seed=seed)
    # TensorFlow 2.21's remapper fails on a discriminator with biases in float32 and prints an error, where it gains nothing. In
    # bfloat16 a step takes 7 % less time with it.
    tf.config.optimizer.set_experimental_options({"remapping": engine.precision == "bfloat16"})
    keras.utils.set_random_seed(seed)
    with engine.strategy.scope() if engine.strategy else nullcontext():
        with dtype_policy(DTYPE_POLICIES[engine.precision or "float32"]):
            networks = build_networks(recipe)
        gan = GAN(*networks, ema_half_life=recipe.ema_half_life, seed=seed, sync_batch_norm=engine.sync_batch_norm)
        optimizers = {}
        for name, learning_rate in (("g_optimizer", recipe.g_learning_rate), ("d_optimizer", recipe.d_learning_rate)):
            adam = FusedAdam(learning_rate, recipe.beta_1, recipe.beta_2, recipe.adam_epsilon)
            optimizers[name] = keras.optimizers.LossScaleOptimizer(adam) if engine.precision == "float16" else adam
        gan.compile(
            **optimizers,
            **{name: getattr(recipe, name) for name in GAN.SETTINGS},
            jit_compile=bool(engine.jit_compile),
            steps_per_execution=engine.steps_per_execution or 1,
        )
    return gan


def as_recipe(recipe: Recipe | str | Mapping) -> Recipe:
    """The recipe that is given as one, by its name, or as a dictionary of its fields.

    Raises:
        InputError: If it is none of these.
    """
    if isinstance(recipe, Mapping):
        names = [field.name for field in fields(Recipe)]
        if unknown := [name for name in recipe if name not in names]:
            raise InputError(f"recipe: there is no field {unknown[0]!r}{suggest(str(unknown[0]), names)}")
        return Recipe(**recipe)
    if not isinstance(recipe, Recipe | str):
        raise InputError(f"recipe: {recipe!r} is not a ganime.Recipe, the name of one, or a dictionary of its fields")
    return get_recipe(recipe) if isinstance(recipe, str) else recipe


def build_networks(recipe: Recipe) -> tuple[keras.Model, keras.Model]:
    """The generator and the discriminator of a recipe."""
    shared = {name: getattr(recipe, name) for name in _SHARED}
    generator = build_generator(
        latent_size=recipe.latent_size,
        widths=recipe.generator_widths,
        depth=recipe.generator_depth,
        slope=recipe.generator_slope,
        **shared,
    )
    discriminator = build_discriminator(
        widths=recipe.discriminator_widths,
        slopes=recipe.discriminator_slopes,
        norm=recipe.discriminator_norm,
        head_channels=recipe.head_channels,
        minibatch_deviation=recipe.minibatch_deviation,
        **shared,
    )
    return generator, discriminator


def read_fields(generator: keras.Model, discriminator: keras.Model) -> dict:
    """The `NETWORK_FIELDS` from which `build_networks` makes such networks.

    Raises:
        InputError: If it makes no such ones.
    """
    try:
        found = _guess_fields(generator, discriminator)
        if same_networks(build_networks(network_recipe(found)), (generator, discriminator)):
            return found
    except (LookupError, AttributeError, TypeError, ValueError, GanimeError):  # networks of any kind
        pass
    raise InputError("its networks are not such as build_generator and build_discriminator make, which alone `fit` trains")


def network_recipe(values: Mapping) -> Recipe:
    """A recipe with these `NETWORK_FIELDS`, in which nothing else counts."""
    return Recipe(**values, batch_size=values["minibatch_deviation"] or 1)


def find_recipe(values: Mapping) -> Recipe:
    """The first of `RECIPES` with such a generator, whatever depth, discriminator and labels; `default` if none has.

    Args:
        values: `NETWORK_FIELDS` by name.
    """
    wanted = {name: values[name] for name in (*_SHARED, *_GENERATOR) if name not in ("generator_depth", "labels")}
    found = (recipe for recipe in RECIPES.values() if all(getattr(recipe, name) == value for name, value in wanted.items()))
    return next(found, get_recipe("default"))


def can_become(fields: Mapping, others: Mapping) -> bool:
    """Whether networks of some `NETWORK_FIELDS` can be trained on as those of others: the same ones, or a deeper generator."""
    if others["generator_depth"] > fields["generator_depth"] and not fields["generator_slope"]:
        others = {**others, "generator_depth": fields["generator_depth"]}
    return fields == others or same_networks(*(build_networks(network_recipe(values)) for values in (fields, others)))


def deepen(weights: list[np.ndarray], depth: int, network: keras.Model) -> list[np.ndarray]:
    """Weights for a network, which may be a deeper generator: those of the layers that it has besides are its own.

    Args:
        weights: Of the network, or of such a generator of less depth.
        depth: Its `generator_depth`.
        network: With first weights.
    """
    given, filled, at = iter(weights), [], 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            at = at + 1 if keeps_side(layer) else 1  # of the layers at its side
        own = layer.get_weights()
        filled += own if keeps_side(layer) and at > depth else [next(given) for _ in own]
    return filled


def same_networks(networks: tuple, others: tuple) -> bool:
    """Whether networks are of the same layers and labels, whatever layers are called and in which precision they compute."""
    same_layers = [*map(_write_down, networks)] == [*map(_write_down, others)]
    return same_layers and labels_of(networks[0]) == labels_of(others[0])


def _guess_fields(generator, discriminator):
    """What only networks of `build_networks` are sure to have."""
    g_convolutions, g_norms, g_activations = _parts(generator)
    d_convolutions, d_norms, d_activations = _parts(discriminator)
    hidden, labels = len(d_activations), labels_of(generator)
    sides = [layer for layer in g_convolutions[:-1] if not keeps_side(layer)]
    slopes = [layer.negative_slope for layer in d_activations]
    while slopes[1:] and slopes[-1] == slopes[-2]:
        slopes.pop()
    deviation = any(isinstance(layer, keras.layers.Concatenate) for layer in discriminator.layers)
    return {
        "image_size": generator.output_shape[1],
        "bias": g_convolutions[0].use_bias,
        "norm_momentum": g_norms[0].momentum,
        "norm_epsilon": g_norms[0].epsilon,
        "initializer": _INITIALIZERS[type(g_convolutions[0].kernel_initializer).__name__],
        "labels": labels,
        "latent_size": generator.input_shape[1] - len(labels),
        "generator_widths": tuple(layer.filters for layer in sides),
        "generator_depth": len(g_activations) // len(sides),
        "generator_slope": float(g_activations[0].negative_slope),
        "discriminator_widths": tuple(layer.filters for layer in d_convolutions[:hidden]),
        "discriminator_slopes": tuple(map(float, slopes)),
        "discriminator_norm": {hidden: "batch", hidden - 1: "batch-inner", 0: "none"}[len(d_norms)],
        "head_channels": d_convolutions[hidden].filters if d_convolutions[hidden:] else 0,
        "minibatch_deviation": batch_multiple(discriminator) if deviation else 0,
    }


def _parts(network):
    layers = keras.layers
    kinds = (layers.Conv2D, layers.Conv2DTranspose), layers.BatchNormalization, (layers.ReLU, layers.LeakyReLU)
    return [[layer for layer in network.layers if isinstance(layer, kind)] for kind in kinds]


def _write_down(network):
    """A network's layers as text."""
    if not isinstance(network, keras.Function):
        return repr(network)
    parts = _without_precision(network.get_config()["layers"])
    text = json.dumps(parts, sort_keys=True, default=str)
    for number, part in enumerate(parts):
        text = text.replace(json.dumps(part["name"]), str(number))
    return text


def _without_precision(part):
    if isinstance(part, dict):
        return {name: _without_precision(value) for name, value in part.items() if name != "dtype"}
    return [*map(_without_precision, part)] if isinstance(part, list | tuple) else part
