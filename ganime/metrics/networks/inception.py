"""Inception v3 as the FID means it (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567): the graph that TensorFlow
published in 2015 as inception-2015-12-05, by the names of its weights in pytorch-fid.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganime.files import fetch
from ganime.metrics.features import FeatureNetwork
from ganime.metrics.torch_weights import fold_batch_norm, get_weight

FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SIDE = 299  # pixels
EPSILON = 1e-3  # of the batch normalizations


def find_weights() -> Path:
    """Where the weights lie, 96 MB; fetched once.

    Raises:
        GanimeError: If they cannot be fetched.
    """
    return fetch(FILE, URL, SHA256, "give its path with --weights FILE")


def build(weights: dict[str, np.ndarray]) -> keras.Model:
    """Build the network.

    Args:
        weights: By their names in pytorch-fid's file.

    Returns:
        A model from pictures, float32 [batch, height, width, 3] in [0, 255], of any size, to {"features": float32
        [batch, 2048] of the last average pool, "logits": float32 [batch, 1008] without their bias, as in the Inception Score}.

    Raises:
        InputError: If a weight is missing or of another shape.
    """
    pictures = keras.Input((None, None, 3), name="pictures")
    x = layers.Rescaling(1 / 128, -1)(ResizeLikeTensorFlow1(SIDE)(pictures))
    x = _convolve(x, "Conv2d_1a_3x3", 32, 3, 3, strides=2)
    x = _convolve(x, "Conv2d_2a_3x3", 32, 3, 3, padding="valid")
    x = _convolve(x, "Conv2d_2b_3x3", 64, 3, 3)
    x = layers.MaxPooling2D(3, 2)(x)
    x = _convolve(x, "Conv2d_3b_1x1", 80, 1, 1)
    x = _convolve(x, "Conv2d_4a_3x3", 192, 3, 3, padding="valid")
    x = layers.MaxPooling2D(3, 2)(x)
    for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = _mix_35(x, name, pooled)
    x = _shrink_35(x, "Mixed_6a")
    for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        x = _mix_17(x, name, width)
    x = _shrink_17(x, "Mixed_7a")
    x = _mix_8(x, "Mixed_7b", layers.AveragePooling2D)
    x = _mix_8(x, "Mixed_7c", layers.MaxPooling2D)  # an average in the paper, but not in the graph
    features = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(1008, use_bias=False, kernel_initializer="zeros", name="fc")(features)
    model = keras.Model(pictures, {"features": features, "logits": logits}, name="inception")
    _assign(model, weights)
    return model


@keras.saving.register_keras_serializable(package="ganime")
class ResizeLikeTensorFlow1(layers.Layer):
    """Bilinear resizing as TensorFlow 1 did it: pixel i of the result lies at i * old side / new side, without the half pixel
    that would keep the picture's middle in place, and nothing is averaged when it shrinks.

    Args:
        side: Height and width of the result.
    """

    def __init__(self, side: int, **options):
        super().__init__(**options)
        self.side = side

    def call(self, pictures):
        return tf.raw_ops.ResizeBilinear(images=pictures, size=(self.side, self.side))

    def get_config(self):
        return {**super().get_config(), "side": self.side}


def _mix_35(x, name, pooled):
    """On 35 x 35 (figure 5 of the paper, but the 5 x 5 is not factorized)."""
    return _join(
        name,
        (x, "branch1x1", (64, 1, 1)),
        (x, "branch5x5", (48, 1, 1), (64, 5, 5)),
        (x, "branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3)),
        (layers.AveragePooling2D(3, 1, "same")(x), "branch_pool", (pooled, 1, 1)),
    )


def _shrink_35(x, name):
    """From 35 x 35 to 17 x 17 (figure 10)."""
    return _join(
        name,
        (x, "branch3x3", (384, 3, 3, 2)),
        (x, "branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3, 2)),
        (layers.MaxPooling2D(3, 2)(x), "branch_pool"),
    )


def _mix_17(x, name, width):
    """On 17 x 17 (figure 6)."""
    return _join(
        name,
        (x, "branch1x1", (192, 1, 1)),
        (x, "branch7x7", (width, 1, 1), (width, 1, 7), (192, 7, 1)),
        (x, "branch7x7dbl", (width, 1, 1), (width, 7, 1), (width, 1, 7), (width, 7, 1), (192, 1, 7)),
        (layers.AveragePooling2D(3, 1, "same")(x), "branch_pool", (192, 1, 1)),
    )


def _shrink_17(x, name):
    """From 17 x 17 to 8 x 8."""
    return _join(
        name,
        (x, "branch3x3", (192, 1, 1), (320, 3, 3, 2)),
        (x, "branch7x7x3", (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, 2)),
        (layers.MaxPooling2D(3, 2)(x), "branch_pool"),
    )


def _mix_8(x, name, pooling):
    """On 8 x 8 (figure 7)."""
    once = _convolve(x, f"{name}.branch3x3_1", 384, 1, 1)
    twice = _convolve(_convolve(x, f"{name}.branch3x3dbl_1", 448, 1, 1), f"{name}.branch3x3dbl_2", 384, 3, 3)
    return _join(
        name,
        (x, "branch1x1", (320, 1, 1)),
        (once, "branch3x3_2a", (384, 1, 3)),
        (once, "branch3x3_2b", (384, 3, 1)),
        (twice, "branch3x3dbl_3a", (384, 1, 3)),
        (twice, "branch3x3dbl_3b", (384, 3, 1)),
        (pooling(3, 1, "same")(x), "branch_pool", (192, 1, 1)),
    )


def _join(block, *branches):
    """Branches side by side: each an input, a name and convolutions (filters, height, width and strides if not 1)."""
    outputs = []
    for x, branch, *convolutions in branches:
        for number, convolution in enumerate(convolutions, 1):
            x = _convolve(x, f"{block}.{branch}" + f"_{number}" * (len(convolutions) > 1), *convolution)
        outputs.append(x)
    return layers.Concatenate()(outputs)


def _convolve(x, name, filters, height, width, strides=1, padding="same"):
    padding = "valid" if strides > 1 else padding
    options = {"activation": "relu", "kernel_initializer": "zeros", "name": name}  # with the batch normalization folded in
    return layers.Conv2D(filters, (height, width), strides, padding, **options)(x)


def _assign(model, weights):
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            height, width, channels, filters = layer.kernel.shape
            shape = filters, channels, height, width
            layer.set_weights(fold_batch_norm(weights, f"{layer.name}.conv", f"{layer.name}.bn", shape, EPSILON))
    dense = model.get_layer("fc")
    dense.set_weights([get_weight(weights, "fc.weight", dense.kernel.shape[::-1]).T])


NETWORK = FeatureNetwork(
    frechet="FID",
    kernel="KID",
    resize=f"bilinear to {SIDE} x {SIDE} as in TensorFlow 1, not antialiased",
    find_weights=find_weights,
    build=build,
    inception_score=True,
)
