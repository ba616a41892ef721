"""A saved generator run by NumPy, which is there in a tenth of the time that TensorFlow takes to be imported.

For some hundred faces, not for thousands: TensorFlow makes them two or three times as fast. The 8-bit values of both differ by
one at most.
"""

import io
import json
import os
import zipfile

import numpy as np

BATCH = 16  # faces at a time, whose widest layer stays in the processor's cache


class NumpyGenerator:
    """A chain of the layers that `build_generator` uses, from a `.keras` file.

    Args:
        path: The file.

    Attributes:
        input_shape, output_shape: As of a Keras model.

    Raises:
        Unsupported: If the file is not such a chain in float32; Keras says more about it.
    """

    def __init__(self, path: str | os.PathLike):
        import h5py

        try:
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json"))["config"]
                weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
            with weights:
                self._steps = _read_chain(config["layers"], weights)
            self.input_shape = (None, *config["layers"][0]["config"]["batch_shape"][1:])
            self.output_shape = (None, *self(np.zeros((1, *self.input_shape[1:]), np.float32)).shape[1:])
        except Exception as error:  # whatever a file can hold
            raise Unsupported from error

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Images, float32 [count, height, width, 3] in [-1, 1], of latents [count, latent_size]."""
        parts = [latents[i : i + BATCH] for i in range(0, len(latents), BATCH)]
        for step in self._steps:
            parts = [step(part) for part in parts]
        return np.concatenate(parts)


class Unsupported(Exception):
    """Not a generator that this module can run."""


def _read_chain(layers, weights):
    """A function for each layer."""
    steps, counts, previous = [], {}, None
    for layer in layers:
        kind, config = layer["class_name"], layer["config"]
        if kind != "InputLayer":
            (node,) = layer["inbound_nodes"]
            (source,) = node["args"]
            if source["config"]["keras_history"][0] != previous or config["dtype"]["config"]["name"] != "float32":
                raise Unsupported
            name = {"Conv2DTranspose": "conv2d_transpose", "BatchNormalization": "batch_normalization"}.get(kind)
            variables = []
            if name:  # Keras numbers layers by their kind, whatever they are called
                number = counts[kind] = counts.get(kind, -1) + 1
                stored = weights[f"layers/{name}_{number}/vars" if number else f"layers/{name}/vars"]
                variables = [stored[str(i)][()] for i in range(len(stored))]
                if not all(np.isfinite(variable).all() for variable in variables):
                    raise Unsupported
            steps.append(_READERS[kind](config, *variables))
        previous = config["name"]
    return steps


def _read_reshape(config):
    return lambda x: x.reshape(-1, *config["target_shape"])


def _read_transpose(config, kernel, bias=0.0):
    usual = config["data_format"], config["dilation_rate"], config["activation"], config["output_padding"]
    if usual != ("channels_last", [1, 1], "linear", None):
        raise Unsupported
    flat = np.ascontiguousarray(kernel.transpose(3, 0, 1, 2).reshape(kernel.shape[3], -1))
    if (config["strides"], config["padding"]) == ([1, 1], "valid"):
        return lambda x: _expand(x, flat, kernel.shape) + bias
    if (config["strides"], config["padding"], config["kernel_size"]) == ([2, 2], "same", [4, 4]):
        return lambda x: _double(x, flat, kernel.shape) + bias
    raise Unsupported


def _read_norm(config, gamma, beta, mean, variance):
    if config["axis"] not in (-1, 3) or not (config["scale"] and config["center"]):
        raise Unsupported
    scale = gamma / np.sqrt(variance + np.float32(config["epsilon"]))
    return lambda x: x * scale + (beta - mean * scale)


def _read_relu(config):
    if config.get("max_value") is not None or config.get("threshold"):
        raise Unsupported
    slope = np.float32(config["negative_slope"])
    return lambda x: np.maximum(x, slope * x)


def _read_activation(config):
    return {"tanh": np.tanh}[config["activation"]]


_READERS = {
    "Reshape": _read_reshape,
    "Conv2DTranspose": _read_transpose,
    "BatchNormalization": _read_norm,
    "ReLU": _read_relu,
    "LeakyReLU": _read_relu,
    "Activation": _read_activation,
}


def _expand(x, flat, shape):
    """A transposed convolution of one pixel, which becomes as large as the kernel."""
    if x.shape[1:3] != (1, 1):
        raise Unsupported
    return (x.reshape(len(x), -1) @ flat).reshape(-1, *shape[:3])


def _double(x, flat, shape):
    """A transposed convolution of 4x4 kernels and stride 2: the parts of all pixels are added where they overlap."""
    count, height, width, inputs = x.shape
    parts = (x.reshape(-1, inputs) @ flat).reshape(count, height, width, *shape[:3])
    images = np.zeros((count, 2 * height + 2, 2 * width + 2, shape[2]), np.float32)
    for i in range(4):
        for j in range(4):
            images[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += parts[:, :, :, i, j]
    return images[:, 1:-1, 1:-1]
