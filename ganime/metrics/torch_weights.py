"""Reading PyTorch's weights without PyTorch.

A checkpoint is a pickle beside the raw numbers. The formats are those of `torch.save`
(https://docs.pytorch.org/docs/stable/notes/serialization.html) since PyTorch 1.6 (a ZIP file) and before (pickles in a row),
and that of `torch.jit.save` (https://github.com/pytorch/pytorch/blob/main/torch/csrc/jit/docs/serialization.md): a ZIP file
too, with the pickle of a whole module, and its code, which is not read. No pickle is unpickled: see `torch_pickles`.
"""

import errno
import io
import math
import os
import zipfile
from pathlib import Path

import numpy as np

from ganime.data.names import show
from ganime.errors import InputError
from ganime.metrics.torch_pickles import Module, NotUnderstoodError, Tensor, check_name, load

MAGIC = 0x1950A86A20F9469CFC6C  # how the older format begins
PROTOCOL = 1001
MAX_DIMENSIONS = 64  # NumPy's
MAX_BYTES = 2**31  # of a file
MAX_NAME = 1000  # characters, of a module in a module in a module


def read_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read a file that `torch.save(network.state_dict(), path)` or, in TorchScript, `torch.jit.save` wrote. Nothing in the file
    can be executed.

    Args:
        path: The file, of any of these formats.

    Returns:
        The tensors by their names, each of its own type and shape; those of a scripted module by the names of the modules that
        they are in, too, as in "stem.conv.weight". They cannot be written to, and may share memory.

    Raises:
        InputError: If the file cannot be read, is damaged, or holds anything but whole tensors by their names.
    """
    try:
        if not Path(path).is_file() and Path(path).exists():  # reading a pipe would wait
            raise OSError(errno.EINVAL, "not a file")
        if (size := Path(path).stat().st_size) > MAX_BYTES:
            raise NotUnderstoodError(f"{size:,} bytes are more than {MAX_BYTES:,}")
        content = Path(path).read_bytes()
        tensors, numbers = (_read_zip if content.startswith(b"PK") else _read_pickles)(content)
        return {name: _view(tensor, numbers) for name, tensor in tensors.items()}
    except OSError as error:
        raise InputError(f"{show(path)} cannot be read: {error.strerror}") from error
    except NotUnderstoodError as error:
        raise InputError(f"{show(path)} is no file of PyTorch weights that can be read: {error}") from None
    except Exception as error:  # damage can show anywhere, as any exception
        raise InputError(f"{show(path)} is no file of PyTorch weights, or is damaged") from error


def get_weight(weights: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One of the weights.

    Raises:
        InputError: If it is missing, of another shape, or not finite.
    """
    if name not in weights:
        raise InputError(f"these are not the network's weights: {name} is missing")
    if weights[name].shape != shape:
        raise InputError(f"these are not the network's weights: {name} has the shape {weights[name].shape}, not {shape}")
    if not np.isfinite(weights[name]).all():
        raise InputError(f"these weights are damaged: {name} holds values that are not finite")
    return weights[name]


def fold_batch_norm(
    weights: dict[str, np.ndarray],
    convolution: str,
    norm: str,
    shape: tuple[int, ...],
    epsilon: float,
    parts: tuple[str | None, str, str, str] = ("weight", "bias", "running_mean", "running_var"),
) -> tuple[np.ndarray, np.ndarray]:
    """Make one convolution of a convolution without bias and the batch normalization that follows it.

    Args:
        weights: As `read_weights` gives them.
        convolution: Name of the convolution, as in "stem.conv".
        norm: Name of the normalization, as in "stem.bn".
        shape: Of the convolution's kernel there: [output channels, input channels, height, width].
        epsilon: What the normalization adds to the variance.
        parts: Names of the normalization's scale (None if it has none), offset, mean and variance.

    Returns:
        The kernel as Keras has it, float32 [height, width, input channels, output channels] (for a depthwise convolution the
        third is 1), and the bias, float32 [output channels].

    Raises:
        InputError: If a weight is missing, of another shape or absurd.
    """
    kernel = get_weight(weights, f"{convolution}.weight", shape).transpose(2, 3, 1, 0)
    scale, offset, mean, variance = (
        get_weight(weights, f"{norm}.{part}", shape[:1]).astype(np.float64) if part else np.ones(shape[:1]) for part in parts
    )
    with np.errstate(all="ignore"):
        scale = scale / np.sqrt(variance + epsilon)
        folded = (kernel * scale).astype(np.float32), (offset - mean * scale).astype(np.float32)
    if not all(np.isfinite(values).all() for values in folded):
        raise InputError(f"these weights are damaged: {norm} holds absurd values")
    return folded


def _read_zip(content):
    archive = zipfile.ZipFile(io.BytesIO(content))
    names = archive.namelist()
    (index,) = (name for name in names if name.endswith("/data.pkl"))
    folder = index.removesuffix("data.pkl")
    code = folder + "code/"  # of a scripted module
    if any(file.compress_type != zipfile.ZIP_STORED for file in archive.infolist() if not file.filename.startswith(code)):
        raise NotUnderstoodError("it is compressed")
    if folder + "byteorder" in names and archive.read(folder + "byteorder") != b"little":
        raise NotUnderstoodError("it was written on a big-endian machine")
    tensors, numbers = _state_dict(load(io.BytesIO(archive.read(index)))), {}
    for key, type, size in _storages(tensors, len(content)).values():
        record = archive.read(f"{folder}data/{key}")
        if len(record) != size * type.itemsize:
            raise NotUnderstoodError("its sizes differ")
        numbers[key] = np.frombuffer(record, type)
    return tensors, numbers


def _read_pickles(content):
    stream = io.BytesIO(content)
    if load(stream) != MAGIC or load(stream) != PROTOCOL:
        raise NotUnderstoodError("it does not begin like one")
    if not load(stream)["little_endian"]:
        raise NotUnderstoodError("it was written on a big-endian machine")
    tensors = _state_dict(load(stream))
    storages = _storages(tensors, len(content))
    keys, position, numbers = load(stream), stream.tell(), {}
    for key in keys:
        _, type, size = storages[check_name(key)]
        if int.from_bytes(content[position : position + 8], "little") != size:
            raise NotUnderstoodError("its sizes differ")
        numbers[key] = np.frombuffer(content, type, size, position + 8)
        position += 8 + numbers[key].nbytes
    return tensors, numbers


def _state_dict(tensors):
    if type(tensors) is Module:
        tensors = dict(_flatten(tensors, "", set()))
    if type(tensors) is not dict or not all(type(tensor) is Tensor for tensor in tensors.values()):
        raise NotUnderstoodError("it holds something else than tensors by their names")
    return tensors


def _flatten(module, prefix, met):
    """The tensors of a scripted module and of the modules in it, by their whole names."""
    if id(module.attributes) in met:  # there would be many more names than were written, or no end of them
        raise NotUnderstoodError("a module in it has two places")
    met.add(id(module.attributes))
    for attribute, value in module.attributes.items():
        if len(prefix) + len(attribute) > MAX_NAME:
            raise NotUnderstoodError("a name in it is too long")
        if type(value) is Module:
            yield from _flatten(value, f"{prefix}{attribute}.", met)
        elif type(value) is Tensor:
            yield prefix + attribute, value


def _storages(tensors, available):
    """The storages by their keys; together they cannot be larger than the file."""
    storages = {storage.key: storage for storage, *_ in tensors.values()}
    if any(storages[tensor.storage.key] != tensor.storage for tensor in tensors.values()):
        raise NotUnderstoodError("its sizes differ")
    if sum(size * type.itemsize for _, type, size in storages.values()) > available:
        raise NotUnderstoodError("it is cut short")
    return storages


def _view(tensor, numbers):
    storage, offset, shape, strides = tensor
    numbers = numbers[storage.key]
    places = [offset, *shape, *strides]
    if not len(shape) == len(strides) <= MAX_DIMENSIONS or not all(type(place) is int and place >= 0 for place in places):
        raise NotUnderstoodError("a tensor has an impossible shape")
    if 0 in shape:
        return np.empty(shape, storage.type)
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if last >= len(numbers) or math.prod(shape) > len(numbers):
        raise NotUnderstoodError("a tensor is larger than its storage")
    steps = [stride * storage.type.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)
