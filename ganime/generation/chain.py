"""A generator as a chain of transposed convolutions, read from its file by NumPy: what runs and exports it without Keras."""

import io
import itertools
import math
import os
from dataclasses import dataclass

import numpy as np

from ganime.generation.archive import read_archive
from ganime.labels import read_layer_name


@dataclass(frozen=True)
class Layer:
    """A transposed convolution, with the batch normalization that followed it folded in, and its activation.

    Attributes:
        kernel: [height, width, outputs, inputs], as Keras has it; float32, or what `ganime.exporting` made of it.
        bias: float32 [outputs].
        stride: 2: the kernel is 4x4 and the side doubles ("same"). 1: the kernel is 3x3 and the side stays ("same"); in the
            first layer one pixel becomes as large as the kernel ("valid").
        slope: Of the (leaky) ReLU below zero, 0 to 1; None: tanh instead.
    """

    kernel: np.ndarray
    bias: np.ndarray
    stride: int
    slope: float | None

    @property
    def weights(self) -> np.ndarray:
        """The kernel that computes: float32 [height, width, outputs, inputs]."""
        return self.kernel.astype(np.float32, copy=False)


@dataclass(frozen=True)
class Chain:
    """Transposed convolutions that make images [-1, 1] of latents.

    Attributes:
        layers: From coarse to fine.
        precise: Whether all computed in float32 where it comes from.
        labels: Names of the labels, whose weights are the last numbers of a latent.
    """

    layers: tuple[Layer, ...]
    precise: bool = True
    labels: tuple[str, ...] = ()

    @property
    def latent_size(self) -> int:
        """Length of the latents, with the weights of the labels."""
        return self.layers[0].kernel.shape[3]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width = (side * math.prod(layer.stride for layer in self.layers) for side in self.layers[0].kernel.shape[:2])
        return height, width, len(self.layers[-1].bias)


class Unsupported(Exception):
    """Not a generator that is such a chain."""


def read_chain(path: str | os.PathLike) -> Chain:
    """Read the chain of layers that `build_generator` makes from a `.keras` file, whatever precision they computed in.

    Raises:
        InputError: If it is no sound `.keras` file (see `ganime.generation.archive.read_archive`).
        Unsupported: If the generator in it is anything else; Keras says more about it.
    """
    import h5py

    archive = read_archive(path)
    try:
        with h5py.File(io.BytesIO(archive.weights)) as weights, np.errstate(all="ignore"):  # all is finite at the end
            return _read(archive.config["config"], weights)
    except Exception as error:  # whatever a file can hold
        raise Unsupported from error


def _read(network, weights):
    layers = network["layers"]
    (image,) = _tensors(network["output_layers"])
    _require(image == [layers[-1]["config"]["name"], 0, 0])
    parts = [_Part(layer, variables) for layer, variables in zip(layers, _variables(layers, weights), strict=True)]
    for before, after in itertools.pairwise(layers):
        (node,) = after["inbound_nodes"]
        (source,) = node["args"]
        _require(source["config"]["keras_history"][0] == before["config"]["name"])
    start, reshape, *rest = parts
    _require((start.kind, reshape.kind) == ("InputLayer", "Reshape"))
    chain = []
    while rest:
        convolution, *rest = rest
        kernel, bias, stride = _read_convolution(convolution, first=not chain)
        if rest[0].kind == "BatchNormalization":
            norm, *rest = rest
            scale, offset = _read_norm(norm)
            _require(scale.shape == bias.shape)
            kernel, bias = kernel * scale[:, None], bias * scale + offset
        activation, *rest = rest
        chain.append(Layer(kernel.astype(np.float32), bias.astype(np.float32), stride, _read_activation(activation)))
    latent_size = start.config["batch_shape"][1]
    sizes = [latent_size, *(len(layer.bias) for layer in chain)]
    _require(reshape.config["target_shape"] == [1, 1, latent_size] and start.config["batch_shape"] == [None, latent_size])
    _require([layer.kernel.shape[3] for layer in chain] == sizes[:-1] and sizes[-1] == 3)
    _require(all(np.isfinite(array).all() for layer in chain for array in (layer.kernel, layer.bias)))
    labels = read_layer_name(reshape.config["name"])
    _require(len(labels) < latent_size)
    precise = all(part.config["dtype"]["config"]["name"] == "float32" for part in parts[1:])
    return Chain(tuple(chain), precise, labels)


def _tensors(names):
    """What a model gives, one or several, in Keras' two ways to write it down."""
    return names if isinstance(names[0], list) else [names]


class _Part:
    """A layer of the file: its kind, its settings, its variables as float64."""

    def __init__(self, layer, variables):
        self.kind, self.config, self.variables = layer["class_name"], layer["config"], variables


def _variables(layers, weights):
    """Those of each layer; Keras numbers layers by their kind, whatever they are called."""
    counts = {}
    for layer in layers:
        kind = layer["class_name"]
        name = {"Conv2DTranspose": "conv2d_transpose", "BatchNormalization": "batch_normalization"}.get(kind)
        if name is None:
            yield []
            continue
        number = counts[kind] = counts.get(kind, -1) + 1
        stored = weights[f"layers/{name}_{number}/vars" if number else f"layers/{name}/vars"]
        yield [_to_float64(stored[str(i)][()]) for i in range(len(stored))]


def _to_float64(array):
    if array.dtype.kind == "V":  # bfloat16, the upper half of a float32, as h5py gives it
        array = (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float64)


def _require(condition):
    if not condition:
        raise Unsupported


def _read_convolution(part, first):
    config = part.config
    usual = config["data_format"], config["dilation_rate"], config["activation"], config["output_padding"]
    _require(part.kind == "Conv2DTranspose" and usual == ("channels_last", [1, 1], "linear", None))
    geometry = config["strides"], config["padding"], config["kernel_size"]
    _require(geometry[:2] == ([1, 1], "valid") if first else geometry in (([2, 2], "same", [4, 4]), ([1, 1], "same", [3, 3])))
    kernel, *bias = part.variables
    _require(kernel.shape[:3] == (*config["kernel_size"], config["filters"]))  # all of it, as Keras would
    _require([offset.shape for offset in bias] == [kernel.shape[2:3]] * config["use_bias"])
    return kernel, bias[0] if bias else np.zeros(kernel.shape[2]), config["strides"][0]


def _read_norm(part):
    config = part.config
    _require(config["axis"] in (-1, 3) and config["scale"] and config["center"])
    gamma, beta, mean, variance = part.variables
    _require({array.shape for array in part.variables} == {gamma.shape} and gamma.ndim == 1)
    scale = gamma / np.sqrt(variance + config["epsilon"])
    return scale, beta - mean * scale


def _read_activation(part):
    config = part.config
    if part.kind == "Activation":
        _require(config["activation"] == "tanh")
        return None
    _require(part.kind in ("ReLU", "LeakyReLU") and config.get("max_value") is None and not config.get("threshold"))
    slope = float(config["negative_slope"])
    _require(0 <= slope <= 1)  # else it is not the larger one of two
    return slope
