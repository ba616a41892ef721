"""Reading PyTorch's weights without PyTorch.

A checkpoint is a pickle beside the raw numbers. Unpickling can run anything and can take any amount of memory, so the pickle
is not unpickled: its instructions are walked through (`pickletools`), and only those that a state dict needs are known, as
strings, numbers, lists, tuples, dicts and the two records below. The formats are those of `torch.save`
(https://docs.pytorch.org/docs/stable/notes/serialization.html) since PyTorch 1.6 (a ZIP file) and before (pickles in a row).
"""

import errno
import io
import math
import os
import pickletools
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganime.data.names import show
from ganime.errors import InputError

MAGIC = 0x1950A86A20F9469CFC6C  # how the older format begins
PROTOCOL = 1001
TYPES = {
    "torch BoolStorage": "?",
    "torch ByteStorage": "u1",
    "torch CharStorage": "i1",
    "torch ShortStorage": "<i2",
    "torch IntStorage": "<i4",
    "torch LongStorage": "<i8",
    "torch HalfStorage": "<f2",
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
}
MAPPING = "collections OrderedDict"
TENSOR = "torch._utils _rebuild_tensor_v2"
PARAMETER = "torch._utils _rebuild_parameter"
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TAKEN = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "SETITEM": 2, "APPEND": 1, "REDUCE": 2, "BUILD": 1, "BINPERSID": 1}
MAX_DIMENSIONS = 64  # NumPy's
MAX_BYTES = 2**31  # of a file
MAX_INSTRUCTIONS = 300_000  # about 30 for each tensor


class _Storage(NamedTuple):
    key: str
    type: np.dtype
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


class _NotUnderstoodError(Exception):
    pass


def read_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read a file that `torch.save(network.state_dict(), path)` wrote. Nothing in the file can be executed.

    Args:
        path: The file, of either format.

    Returns:
        The tensors by their names, each of its own type and shape. They cannot be written to, and may share memory.

    Raises:
        InputError: If the file cannot be read, is damaged, or holds anything but whole tensors by their names.
    """
    try:
        if not Path(path).is_file() and Path(path).exists():  # reading a pipe would wait
            raise OSError(errno.EINVAL, "not a file")
        if (size := Path(path).stat().st_size) > MAX_BYTES:
            raise _NotUnderstoodError(f"{size:,} bytes are more than {MAX_BYTES:,}")
        content = Path(path).read_bytes()
        tensors, numbers = (_read_zip if content.startswith(b"PK") else _read_pickles)(content)
        return {name: _view(tensor, numbers) for name, tensor in tensors.items()}
    except OSError as error:
        raise InputError(f"{show(path)} cannot be read: {error.strerror}") from error
    except _NotUnderstoodError as error:
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
    weights: dict[str, np.ndarray], convolution: str, norm: str, shape: tuple[int, ...], epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Make one convolution of a convolution without bias and the batch normalization that follows it.

    Args:
        weights: As `read_weights` gives them.
        convolution: Name of the convolution, as in "stem.conv".
        norm: Name of the normalization, as in "stem.bn".
        shape: Of the convolution's kernel there: [output channels, input channels, height, width].
        epsilon: What the normalization adds to the variance.

    Returns:
        The kernel as Keras has it, float32 [height, width, input channels, output channels] (for a depthwise convolution the
        third is 1), and the bias, float32 [output channels].

    Raises:
        InputError: If a weight is missing, of another shape or absurd.
    """
    kernel = get_weight(weights, f"{convolution}.weight", shape).transpose(2, 3, 1, 0)
    scale, offset, mean, variance = (
        get_weight(weights, f"{norm}.{part}", shape[:1]).astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
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
    if any(file.compress_type != zipfile.ZIP_STORED for file in archive.infolist()):
        raise _NotUnderstoodError("it is compressed")
    if folder + "byteorder" in names and archive.read(folder + "byteorder") != b"little":
        raise _NotUnderstoodError("it was written on a big-endian machine")
    tensors, numbers = _state_dict(_load(io.BytesIO(archive.read(index)))), {}
    for key, type, size in _storages(tensors, len(content)).values():
        record = archive.read(f"{folder}data/{key}")
        if len(record) != size * type.itemsize:
            raise _NotUnderstoodError("its sizes differ")
        numbers[key] = np.frombuffer(record, type)
    return tensors, numbers


def _read_pickles(content):
    stream = io.BytesIO(content)
    if _load(stream) != MAGIC or _load(stream) != PROTOCOL:
        raise _NotUnderstoodError("it does not begin like one")
    if not _load(stream)["little_endian"]:
        raise _NotUnderstoodError("it was written on a big-endian machine")
    tensors = _state_dict(_load(stream))
    storages = _storages(tensors, len(content))
    keys, position, numbers = _load(stream), stream.tell(), {}
    for key in keys:
        _, type, size = storages[_name(key)]
        if int.from_bytes(content[position : position + 8], "little") != size:
            raise _NotUnderstoodError("its sizes differ")
        numbers[key] = np.frombuffer(content, type, size, position + 8)
        position += 8 + numbers[key].nbytes
    return tensors, numbers


def _state_dict(tensors):
    if type(tensors) is not dict or not all(type(tensor) is _Tensor for tensor in tensors.values()):
        raise _NotUnderstoodError("it holds something else than tensors by their names")
    return tensors


def _storages(tensors, available):
    """The storages by their keys; together they cannot be larger than the file."""
    storages = {storage.key: storage for storage, *_ in tensors.values()}
    if any(storages[tensor.storage.key] != tensor.storage for tensor in tensors.values()):
        raise _NotUnderstoodError("its sizes differ")
    if sum(size * type.itemsize for _, type, size in storages.values()) > available:
        raise _NotUnderstoodError("it is cut short")
    return storages


def _view(tensor, numbers):
    storage, offset, shape, strides = tensor
    numbers = numbers[storage.key]
    places = [offset, *shape, *strides]
    if not len(shape) == len(strides) <= MAX_DIMENSIONS or not all(type(place) is int and place >= 0 for place in places):
        raise _NotUnderstoodError("a tensor has an impossible shape")
    if 0 in shape:
        return np.empty(shape, storage.type)
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if last >= len(numbers) or math.prod(shape) > len(numbers):
        raise _NotUnderstoodError("a tensor is larger than its storage")
    steps = [stride * storage.type.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)


def _load(stream):
    """What the next pickle of the stream describes."""
    stack, marks, memo = [], [], {}
    for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        name = opcode.name
        start = marks.pop() if name in ("TUPLE", "APPENDS", "SETITEMS") else len(stack) - TAKEN.get(name, 0)
        if start < 0 or step > MAX_INSTRUCTIONS:
            raise _NotUnderstoodError("its pickle is too short or too long")
        taken = stack[start:]
        del stack[start:]
        match name:
            case "PROTO" | "STOP" | "BUILD":  # what a state dict builds on is only its modules' versions
                pass
            case "MARK":
                marks.append(len(stack))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE":
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE":
                stack.append(CONSTANTS[name])
            case "TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(taken))
            case "EMPTY_LIST":
                stack.append([])
            case "APPEND" | "APPENDS":
                stack[-1].extend(taken)
            case "EMPTY_DICT":
                stack.append({})
            case "SETITEM" | "SETITEMS":
                stack[-1].update(zip(map(_name, taken[::2]), taken[1::2], strict=True))
            case "GLOBAL" if argument in TYPES or argument in (MAPPING, TENSOR, PARAMETER):
                stack.append(argument)
            case "GLOBAL":
                raise _NotUnderstoodError(f"it asks for {argument[:80]!r}")
            case "REDUCE":
                stack.append(_call(*taken))
            case "BINPERSID":
                stack.append(_storage(*taken[0]))
            case _:
                raise _NotUnderstoodError(f"its pickle says {name}")
    return stack[-1]


def _call(function, arguments):
    if function == MAPPING and arguments == ():
        return {}
    if function == TENSOR:
        return _Tensor(*arguments[:4])
    if function == PARAMETER:
        return arguments[0]
    raise _NotUnderstoodError("its pickle makes an unusual call")


def _storage(kind, type, key, device, size, view=None):
    if kind != "storage" or view is not None or size < 0:
        raise _NotUnderstoodError("it has a storage of a kind unknown")
    return _Storage(_name(key), np.dtype(TYPES[_name(type)]), size)


def _name(value):
    """Itself, if it is a string. The hash of another thing could take any time or depth."""
    if type(value) is not str:
        raise _NotUnderstoodError("a name in it is no string")
    return value
