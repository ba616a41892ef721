"""Two forms of a network: one to train it with, one to keep, which follows it."""

import math
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from ganime.generation.latents import from_seeds
from ganime.labels import labels_of
from ganime.networks.transposed import quick_form
from ganime.training import replicas

FACES, FIRST_SEED = 1024, 2**31  # of which statistics are taken; seeds far from those that people look at
PIXELS = 2**20  # of those that are made at once


def training_form(network: keras.Model, synchronized: bool = False) -> keras.Model:
    """The same network, with the same layers and variables, to be called in training.

    Batch normalization over the channels of pictures goes to TensorFlow's fused operation, which takes a third to a quarter of
    the time of Keras' separate ones on a CPU. As in PyTorch and Keras 2, what it adds to the moving variance is the unbiased
    variance. Convolutions go to quicker forms where there are any (`transposed.py`). Networks not built of layers in Keras'
    functional way, other normalizations and those in models within the network stay as they are, synchronized only if they are
    so themselves.

    Args:
        network: Any model.
        synchronized: Whether mean and variance are those of the global batch, where several replicas train together.
    """

    def convert(layer):
        if type(layer) is not keras.layers.BatchNormalization:
            return quick_form(layer, training=True)
        usual = layer.scale and layer.center and not layer.renorm and layer.input_spec.ndim == 4 and layer.axis in (3, -1)
        return _TrainingNorm(layer, synchronized or layer.synchronized) if usual else layer

    if not isinstance(network, keras.Function | keras.Sequential):
        return network
    return keras.models.clone_model(network, clone_function=convert)


def sampling_form(network: keras.Model) -> keras.Model:
    """A copy of the network, with weights of its own and the same values, that computes in float32."""

    def copy(layer):
        config = layer.get_config()
        return layer.__class__.from_config(config if layer.compute_dtype == "float32" else {**config, "dtype": "float32"})

    functional = isinstance(network, keras.Function | keras.Sequential)
    form = keras.models.clone_model(network, clone_function=copy if functional else None)
    form.set_weights(network.get_weights())
    form.settled = False
    return form


def settle(average: keras.Model) -> None:
    """Say of an average, before it first follows its network, that it began as one of trained weights, which are worth keeping.
    Then there is no ramp-up, as in StyleGAN2-ADA where that starts from a trained network."""
    average.settled = True


def update_average(average: keras.Model, network: keras.Model, half_life: int, batch: tf.Tensor, steps: tf.Tensor) -> None:
    """Let an average of a network's weights follow them by a step.

    Args:
        average: Its `sampling_form`.
        network: The network.
        half_life: Number of pictures over which half is forgotten; 0 makes a copy. At most a twentieth of the pictures seen so
            far, so that first weights, which nothing has trained, are soon forgotten; not if the average is settled.
        batch: Number of pictures in the step, int64 [].
        steps: Number of steps with this one.
    """
    span = float(half_life)
    if not average.settled:
        span = tf.minimum(span, tf.cast(steps * batch, tf.float32) / 20.0)
    keep = 0.5 ** (tf.cast(batch, tf.float32) / span)
    for mean, current in zip(average.weights, network.weights, strict=True):
        if half_life:
            mean.assign_add((1.0 - keep) * (current - mean))
        else:
            mean.assign(current)


@contextmanager
def own_statistics(average: keras.Model):
    """While this lasts, an average, which it gives, normalizes by the statistics of its own activations. Those that followed
    the network's are of other kernels: `update_bn` of stochastic weight averaging (Izmailov et al. 2018,
    https://arxiv.org/abs/1803.05407) and StudioGAN's "standing statistics" (https://arxiv.org/abs/2206.09479) take them anew.
    Here it is done layer by layer and from the same latents each time, so that they depend on the average's weights alone.

    Left as it is: a copy, whose statistics are of its own kernels; an average with labels, of whose shares it knows nothing;
    a normalization within another model, or called more than once.

    Args:
        average: The `averaged_generator` of a `GAN`; any other generator is left as it is.

    Example:
        >>> import ganime
        >>> networks = ganime.build_generator(32, widths=(8, 8, 8)), ganime.build_discriminator(32, widths=(8, 8, 8))
        >>> gan = ganime.GAN(*networks, ema_half_life=5000)
        >>> with own_statistics(gan.averaged_generator) as generator:
        ...     faces = ganime.sample(generator, range(4))
        >>> faces.shape
        (4, 32, 32, 3)
    """
    norms = _norms(average) if getattr(average, "is_average", False) and not labels_of(average) else []
    statistics = [variable for norm in norms for variable in (norm.moving_mean, norm.moving_variance)]
    before = [variable.numpy() for variable in statistics]
    batches = _draw_batches(average) if norms else []
    try:
        for norm in norms:
            mean, variance = _moments(keras.Model(average.input, norm.input), norm.axis, batches)
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(variance)
        yield average
    finally:
        for variable, value in zip(statistics, before, strict=True):
            variable.assign(value)


def _norms(network):
    """The batch normalizations of a network of layers, in their order; without those that are called more than once."""
    calls = {}
    if isinstance(network, keras.Function):
        calls = {layer["name"]: len(layer["inbound_nodes"]) for layer in network.get_config()["layers"]}
    elif not isinstance(network, keras.Sequential):
        return []
    norms = [layer for layer in network.layers if type(layer) is keras.layers.BatchNormalization]
    return [norm for norm in norms if calls.get(norm.name, 1) == 1]


def _draw_batches(generator):
    """The latents of `FACES` faces, as many together as their size allows."""
    batch = max(1, PIXELS // math.prod(side or 64 for side in generator.output_shape[1:3]))
    latents = from_seeds(range(FIRST_SEED, FIRST_SEED + FACES), generator.input_shape[-1])
    return [latents[start : start + batch] for start in range(0, FACES, batch)]


def _moments(network, axis, batches):
    """Mean and variance along an axis of what a network makes of batches of latents."""
    others = [other for other in range(len(network.output_shape)) if other != axis % len(network.output_shape)]
    moments = []
    for latents in batches:
        features = tf.cast(network(latents, training=False), tf.float32)
        moments.append([value.numpy() for value in tf.nn.moments(features, others)])
    means, variances = np.asarray(moments, np.float64).transpose(1, 0, 2)
    sizes = [len(latents) for latents in batches]
    mean = np.average(means, 0, sizes)
    return mean, np.average(variances + np.square(means - mean), 0, sizes)


class _TrainingNorm(keras.layers.Layer):
    """A `BatchNormalization` layer called in training: it has the variables, this the arithmetic."""

    def __init__(self, norm, synchronized):
        super().__init__(dtype=norm.dtype_policy, autocast=False)
        self.norm, self.synchronized = norm, synchronized

    def call(self, inputs, training=None, mask=None):
        norm = self.norm
        if not (training and norm.trainable):
            return norm(inputs, training=False)
        if self.synchronized and replicas.count() > 1:
            images = tf.cast(inputs, tf.float32)
            mean, square = replicas.mean([tf.reduce_mean(x, axis=[0, 1, 2]) for x in (images, tf.square(images))])
            variance = tf.maximum(square - tf.square(mean), 0.0)
            outputs = tf.nn.batch_normalization(images, mean, variance, norm.beta.value, norm.gamma.value, norm.epsilon)
            count = tf.cast(tf.size(images) / images.shape[-1], tf.float32) * replicas.count()
            unbiased = variance * (count / (count - 1.0))
        else:
            outputs, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
                x=inputs, scale=norm.gamma.value, offset=norm.beta.value, mean=[], variance=[], epsilon=norm.epsilon
            )
        for moving, value in ((norm.moving_mean, mean), (norm.moving_variance, unbiased)):
            moving.assign(moving * norm.momentum + value * (1.0 - norm.momentum))
        return tf.cast(outputs, inputs.dtype)
