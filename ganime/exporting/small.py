"""Generators in fewer bytes: kernels as float16 or int8, computing in float32 all the same."""

from dataclasses import dataclass, replace

import numpy as np

from ganime.generation.chain import Chain, Layer

WEIGHTS = ("float32", "float16", "int8")
BLOCK = 32  # inputs that share a scale
TOPS = range(112, 132)  # what the largest weight of a block is tried as; 127 is what it can be


@dataclass(frozen=True)
class QuantizedLayer(Layer):
    """A layer whose kernel is int8.

    Attributes:
        scale: float16 [height, width, outputs, blocks]: see `dequantize`.
    """

    scale: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """The kernel that computes: float32 [height, width, outputs, inputs]."""
        return dequantize(self.kernel, self.scale)


def dequantize(kernel: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """What a kernel of int8 stands for.

    Args:
        kernel: int8 [height, width, outputs, inputs].
        scale: float16 [height, width, outputs, blocks]: for each 32 inputs, and for as many as are left in the last block.

    Returns:
        float32, of the kernel's shape; nothing is rounded.
    """
    return kernel * np.repeat(scale, BLOCK, 3)[..., : kernel.shape[3]].astype(np.float32)


def shrink(chain: Chain, weights: str) -> Chain:
    """A chain in fewer bytes.

    "float16" rounds kernels and biases, which LiteRT does too. "int8" is the block format Q8_0 of llama.cpp
    (https://github.com/ggml-org/llama.cpp), 34 bytes for 32 weights, with one thing added: a block takes, of twenty scales, the
    one by which its weights are rounded least. The last layer's weights are few, and every error of theirs is seen: they become
    float16.

    Args:
        chain: Of float32 kernels.
        weights: "float32": as it is. "float16": half the bytes. "int8": a bit more than a quarter.

    Returns:
        A chain of `Layer` and, for "int8", `QuantizedLayer`.

    Example:
        >>> shrink(read_chain("anime-face-64.keras"), "int8").layers[0].kernel.dtype  # doctest: +SKIP
        dtype('int8')
    """
    if weights == "float32":
        return chain
    *others, last = chain.layers
    make = {"float16": _halve, "int8": _quantize}[weights]
    return replace(chain, layers=(*map(make, others), _halve(last)))


def _halve(layer):
    return replace(layer, kernel=layer.kernel.astype(np.float16), bias=layer.bias.astype(np.float16).astype(np.float32))


def _quantize(layer):
    inputs = layer.kernel.shape[3]
    padded = np.pad(layer.kernel, [(0, 0)] * 3 + [(0, -inputs % BLOCK)])
    blocks = padded.reshape(*padded.shape[:3], -1, BLOCK)
    codes, scale, error = _round(blocks, TOPS[0])
    for top in TOPS[1:]:
        tried = _round(blocks, top)
        better = tried[2] < error
        for best, other in zip((codes, scale, error), tried, strict=True):
            np.copyto(best, other, where=better)
    kernel = np.ascontiguousarray(codes.reshape(padded.shape)[..., :inputs])
    return QuantizedLayer(kernel, layer.bias, layer.stride, layer.slope, scale[..., 0])


def _round(blocks, top):
    """Codes, scales and squared errors of blocks whose largest weight becomes `top`."""
    largest = np.abs(blocks).max(-1, keepdims=True)
    scale = np.maximum(largest / top, 2.0**-24).astype(np.float16)  # the least that is not 0
    codes = np.clip(np.rint(blocks / scale), -127, 127).astype(np.int8)
    return codes, scale, np.square(blocks - codes * scale.astype(np.float32)).sum(-1, keepdims=True)
