"""Faces from a trained generator."""

import os
import weakref
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from ganime import latents
from ganime.errors import InputError

_painters = weakref.WeakKeyDictionary()  # generators' graphs


def load_generator(path: str | os.PathLike) -> keras.Model:
    """Load a generator from a `.keras` file.

    Raises:
        InputError: If there is no such file, or it is not a Keras model from latents [batch, size] to images [batch, height,
            width, 3].
    """
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist (a run saves its generator every --save-every steps)")
    try:
        generator = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} cannot be loaded as a Keras model: {str(error).splitlines()[0]}") from error
    shapes = (getattr(generator, "input_shape", None), getattr(generator, "output_shape", None))
    if not all(isinstance(shape, tuple) for shape in shapes) or len(shapes[0]) != 2 or shapes[1][3:] != (3,):
        raise InputError(f"{path} is not a generator: it maps {shapes[0]} to {shapes[1]}")
    return generator


def sample(generator: keras.Model, seeds: Sequence[int], truncation: float = 1.0, batch_size: int = 64) -> np.ndarray:
    """The faces of some seeds.

    Args:
        generator: Model from latents to images in [-1, 1].
        seeds: Integers from 0 to 2**32 - 1; a seed's face depends on nothing else.
        truncation: 0 to 1; less gives more typical faces (see `ganime.latents.from_seeds`).
        batch_size: How many are made at a time.

    Returns:
        uint8 [seeds, height, width, 3], RGB.
    """
    size = generator.input_shape[-1]
    paint = _painters.get(generator) or _painters.setdefault(generator, _trace(generator))
    parts = [seeds[i : i + batch_size] for i in range(0, len(seeds), batch_size)]
    return np.concatenate([paint(tf.constant(latents.from_seeds(part, size, truncation))).numpy() for part in parts])


def _trace(generator):
    """A graph from latents to uint8 images, for any number of them. It does not keep its generator alive."""
    network = weakref.proxy(generator)
    if isinstance(generator, keras.Function | keras.Sequential):
        network = keras.models.clone_model(generator, clone_function=_quick_form)

    @tf.function(input_signature=[tf.TensorSpec([None, generator.input_shape[-1]])])
    def paint(points):
        images = tf.cast(network(points, training=False), tf.float32)
        return tf.saturate_cast(tf.round((images + 1.0) * 127.5), tf.uint8)  # as `ganime.pictures.to_uint8`

    return paint.get_concrete_function()


def _quick_form(layer):
    usual = type(layer) is keras.layers.Conv2DTranspose and layer.data_format == "channels_last"
    return _QuickTranspose(layer) if usual and layer.output_padding is None and layer.dilation_rate == (1, 1) else layer


class _QuickTranspose(keras.layers.Layer):
    """A `Conv2DTranspose` layer: it has the variables, this the arithmetic, which for coarse images and for few channels is
    quicker as a product of matrices or as a convolution than as what oneDNN makes of it."""

    def __init__(self, layer):
        super().__init__(dtype=layer.dtype_policy)
        self.layer = layer

    def call(self, inputs, mask=None):
        layer, kernel, (height, width) = self.layer, self.layer.kernel.value, inputs.shape[1:3]
        doubling = (layer.kernel_size, layer.strides, layer.padding) == ((4, 4), (2, 2), "same")
        if (height, width, layer.padding) == (1, 1, "valid") and layer.strides == (1, 1):
            images = tf.reshape(_products(inputs, kernel), [-1, *kernel.shape[:3]])
        elif doubling and max(height or 8, width or 8) < 8:
            images = _double_by_product(inputs, kernel)
        elif doubling and layer.filters < 8:
            images = _double_by_convolution(inputs, kernel)
        else:
            return layer(inputs)
        return layer.activation(tf.nn.bias_add(images, layer.bias.value) if layer.use_bias else images)


def _products(images, kernel):
    """Each pixel's part of a transposed convolution: [batch, height, width, *kernel's size, channels]."""
    return tf.einsum("nhwi,abci->nhwabc", images, kernel)


def _double_by_product(images, kernel):
    """The parts of all pixels, 4x4 and two apart, are added where they overlap."""
    (_, height, width, _), channels = images.shape, kernel.shape[2]
    parts = tf.reshape(_products(images, kernel), [-1, height, width, 2, 2, 2, 2, channels])
    quarters = []
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        quarter = tf.reshape(parts[:, :, :, i, :, j], [-1, height, width, 4 * channels])
        quarters.append(tf.pad(quarter, [[0, 0], [i, 1 - i], [j, 1 - j], [0, 0]]))
    return tf.nn.depth_to_space(tf.add_n(quarters), 2)[:, 1:-1, 1:-1]


def _double_by_convolution(images, kernel):
    """A 2x2 convolution gives the four pixels that lie around each corner where four pixels meet."""
    channels, inputs = kernel.shape[2:]
    kernel = tf.reshape(kernel, [2, 2, 2, 2, channels, inputs])[::-1, :, ::-1]
    kernel = tf.reshape(tf.transpose(kernel, [0, 2, 5, 1, 3, 4]), [2, 2, inputs, 4 * channels])
    corners = tf.nn.conv2d(images, kernel, 1, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.nn.depth_to_space(corners, 2)[:, 1:-1, 1:-1]
