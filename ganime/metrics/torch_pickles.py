"""The pickles in PyTorch's files, without PyTorch and without `pickle`.

Unpickling can run anything and can take any amount of memory. So the instructions are walked through (`pickletools`), and only
those that a state dict or a scripted module needs are known, as strings, numbers, lists, tuples, dicts and the records below.
"""

import pickletools
from typing import BinaryIO, NamedTuple

import numpy as np

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
SCRIPT = "__torch__.", "__torch__ "  # how the classes of scripted modules begin
TYPED = [f"torch.jit._pickle {name}" for name in ("restore_type_tag", "build_intlist", "build_doublelist", "build_boollist")]
CALLED = [MAPPING, TENSOR, PARAMETER, *TYPED]
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TAKEN = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "SETITEM": 2, "APPEND": 1, "REDUCE": 2, "NEWOBJ": 2, "BUILD": 1, "BINPERSID": 1}
MAX_INSTRUCTIONS = 300_000  # about 30 for each tensor


class Storage(NamedTuple):
    """Where the numbers of tensors lie: the name of a record beside the pickle, their type and how many they are."""

    key: str
    type: np.dtype
    size: int


class Tensor(NamedTuple):
    """A view of a storage; the offset and the strides are in numbers."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


class Module:
    """A scripted module: what it holds, by the names of its attributes."""

    attributes: dict


class NotUnderstoodError(Exception):
    """The file holds something that need not be known to read weights."""


def load(stream: BinaryIO) -> object:
    """What the next pickle of a stream describes: Python's own objects and the records above.

    Raises:
        NotUnderstoodError: If it describes anything else.
        Exception: Any other, if it is damaged.
    """
    stack, marks, memo = [], [], {}
    for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        name = opcode.name
        start = marks.pop() if name in ("TUPLE", "APPENDS", "SETITEMS") else len(stack) - TAKEN.get(name, 0)
        if start < 0 or step > MAX_INSTRUCTIONS:
            raise NotUnderstoodError("its pickle is too short or too long")
        taken = stack[start:]
        del stack[start:]
        match name:
            case "PROTO" | "STOP":
                pass
            case "BUILD" if type(stack[-1]) is Module and type(taken[0]) is dict:
                stack[-1].attributes = taken[0]
            case "BUILD" if type(stack[-1]) is dict:  # what a state dict builds on is only its modules' versions
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
                stack[-1].update(zip(map(check_name, taken[::2]), taken[1::2], strict=True))
            case "GLOBAL" if argument in TYPES or argument in CALLED or argument.startswith(SCRIPT):
                stack.append(argument)
            case "GLOBAL":
                raise NotUnderstoodError(f"it asks for {argument[:80]!r}")
            case "REDUCE":
                stack.append(_call(*taken))
            case "NEWOBJ" if check_name(taken[0]).startswith(SCRIPT) and taken[1] == ():
                stack.append(Module())
            case "BINPERSID":
                stack.append(_storage(*taken[0]))
            case _:
                raise NotUnderstoodError(f"its pickle says {name}")
    return stack[-1]


def _call(function, arguments):
    if function == MAPPING and arguments == ():
        return {}
    if function == TENSOR:
        return Tensor(*arguments[:4])
    if function == PARAMETER or function in TYPED:
        return arguments[0]
    raise NotUnderstoodError("its pickle makes an unusual call")


def _storage(kind, type, key, device, size, view=None):
    if kind != "storage" or view is not None or size < 0:
        raise NotUnderstoodError("it has a storage of a kind unknown")
    return Storage(check_name(key), np.dtype(TYPES[check_name(type)]), size)


def check_name(value: object) -> str:
    """Itself, if it is a string. The hash of another thing could take any time or depth.

    Raises:
        NotUnderstoodError: If it is not.
    """
    if type(value) is not str:
        raise NotUnderstoodError("a name in it is no string")
    return value
