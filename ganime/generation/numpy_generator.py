"""A saved generator run by NumPy, which is there in a tenth of the time that TensorFlow takes to be imported.

For some hundred faces, not for thousands: TensorFlow makes them two or three times as fast. The 8-bit values of both differ by
one at most.
"""

import os

import numpy as np

from ganime.errors import InputError
from ganime.generation.chain import Chain, Unsupported, read_chain

BATCH = 16  # faces at a time, whose widest layer stays in the processor's cache
NOT_FINITE = "the generator makes no faces: its images are not finite numbers; use one that was saved earlier"


class NumpyGenerator:
    """A chain of the layers that `build_generator` uses.

    Args:
        source: The chain, or a `.keras` file with one in float32.

    Attributes:
        input_shape, output_shape: As of a Keras model.
        labels: Names of its labels.

    Raises:
        InputError: If the file is no sound `.keras` file.
        Unsupported: If the generator in it is not such a chain; Keras says more about it.
    """

    def __init__(self, source: Chain | str | os.PathLike):
        chain = source
        if not isinstance(source, Chain):
            chain = read_chain(source)
            if not chain.precise:
                raise Unsupported
        self.labels = chain.labels
        self.input_shape, self.output_shape = (None, chain.latent_size), (None, *chain.image_shape)
        self._steps = [_make_step(layer, first=i == 0) for i, layer in enumerate(chain.layers)]

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Images, float32 [count, height, width, 3] in [-1, 1], of latents [count, latent_size].

        Raises:
            InputError: If they are not finite numbers, as of weights that are far too large.
        """
        parts = [latents[i : i + BATCH, None, None] for i in range(0, len(latents), BATCH)]
        with np.errstate(over="ignore", invalid="ignore"):
            for step in self._steps:
                parts = [step(part) for part in parts]
        images = np.concatenate(parts)
        if not np.isfinite(images).all():
            raise InputError(NOT_FINITE)
        return images


def _make_step(layer, first):
    """A function for a layer. The kernel is brought into the form that its product takes once."""
    flat = np.ascontiguousarray(layer.weights.transpose(3, 0, 1, 2).reshape(layer.kernel.shape[3], -1))

    def step(x):
        x = _expand(x, flat, layer.kernel.shape) if first else _convolve(x, flat, layer.kernel.shape, layer.stride)
        x += layer.bias
        return np.tanh(x) if layer.slope is None else np.maximum(x, np.float32(layer.slope) * x)

    return step


def _expand(x, flat, shape):
    """A transposed convolution of one pixel, which becomes as large as the kernel."""
    return (x.reshape(len(x), -1) @ flat).reshape(-1, *shape[:3])


def _convolve(x, flat, shape, stride):
    """A transposed convolution of stride 2 or 1: the parts of all pixels are added where they overlap."""
    count, height, width, inputs = x.shape
    parts = (x.reshape(-1, inputs) @ flat).reshape(count, height, width, *shape[:3])
    images = np.zeros((count, stride * height + 2, stride * width + 2, shape[2]), np.float32)
    for i, j in np.ndindex(shape[:2]):
        images[:, i : i + stride * height : stride, j : j + stride * width : stride] += parts[:, :, :, i, j]
    return images[:, 1:-1, 1:-1]
