"""PyTorch's files, written by hand, since only PyTorch pickles tensors."""

import pickle
import struct
import zipfile

import numpy as np

FLOATS = b"ctorch\nFloatStorage\n"
SCRIPTED_CLASS = b"c__torch__.net\nNet\n"
MODULE = SCRIPTED_CLASS + b")\x81"


def text(value):
    """The instruction that gives a string, bytes."""
    return b"X" + struct.pack("<I", len(value)) + value


def plain(value):
    """The instructions that give numbers, tuples and lists."""
    return pickle.dumps(value, 2)[2:-1].replace(b"q\x00", b"")


def tensor(storage, offset, shape, strides):
    """The instructions that give a tensor of a storage: its type, key and size."""
    type, key, size = storage
    reference = b"(" + text(b"storage") + type + text(key) + text(b"cpu") + plain(size) + b"tQ"
    view = reference + plain(offset) + plain(shape) + plain(strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"\x89}tR"


def save_scripted(weights, path):
    """Save weights, all of them float32, as `torch.jit.save` would those of a module with modules in it, without its code."""
    tree = {}
    for key, (name, values) in enumerate(weights.items()):
        *places, attribute = name.split(".")
        inside = tree
        for place in places:
            inside = inside.setdefault(place, {})
        strides = tuple(stride // 4 for stride in np.ascontiguousarray(values).strides)
        inside[attribute] = tensor((FLOATS, b"%d" % key, values.size), 0, values.shape, strides)

    def write(module):
        held = (text(name.encode()) + (write(value) if isinstance(value, dict) else value) for name, value in module.items())
        return MODULE + b"}(" + text(b"training") + b"\x89" + text(b"stride") + b"K\x01" + b"".join(held) + b"ub"

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02" + write(tree) + b".")
        for key, values in enumerate(weights.values()):
            archive.writestr(f"net/data/{key}", values.astype("<f4").tobytes())
