"""A `.keras` file, read whole and found sound before anything in it is used (no TensorFlow).

It is a ZIP of JSON, the network, and HDF5, the weights. Who reads HDF5 by seeking never compares ZIP's checksums; it can lead
into other files; and both can declare sizes that they do not have. Whatever makes faces takes all of it from here.
"""

import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from ganime.data.names import show
from ganime.errors import GanimeError, InputError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"  # of a `.keras` file's members
MOST = 2**32  # bytes that a file may unpack to
EXPANSION = 20  # times its own size, at most: Keras compresses nothing
FREE = 2**26  # bytes that any file may unpack to
MOST_CONFIG = 2**23  # bytes of JSON, which becomes ten times as large when it is parsed
_GAN = "ganime>GAN"  # as Keras knows a whole GAN
_HDF5 = b"\x89HDF\r\n\x1a\n"
_AGAIN = "copy or fetch it again, or save it anew"


@dataclass(frozen=True)
class Archive:
    """The content of a `.keras` file.

    Attributes:
        config: The network, as Keras writes it down.
        weights: HDF5, without links and of sound sizes.
        members: All of the file's own members by name, as they are; their checksums are right.
    """

    config: dict
    weights: bytes
    members: dict[str, bytes]

    def write(self, path: str | os.PathLike) -> None:
        """Write it as a `.keras` file, which holds what was found sound, and nothing else that a reader of ZIPs could see."""
        made = {**self.members, CONFIG: json.dumps(self.config).encode(), WEIGHTS: self.weights}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in made.items():
                archive.writestr(name, content)


class Unsound(Exception):
    """A file that is not what it should be; the message goes on where its name was said: "is damaged"."""


def read_archive(path: str | os.PathLike) -> Archive:
    """Read a `.keras` file. Of a whole GAN it is the averaged generator, in float32 as `GAN` has it.

    Raises:
        InputError: If it cannot be read or is no `.keras` file, damaged, encrypted, or of absurd sizes; in one line.
        GanimeError: If there is not enough memory.
    """
    try:
        members = read_members(path)
        for name in (CONFIG, WEIGHTS):
            if name not in members:
                raise Unsound(f"is no whole .keras file: it holds no {name}; {_AGAIN}")
        config, weights = _parse(members[CONFIG]), members[WEIGHTS]
        _check_weights(weights)
        if config.get("registered_name") == _GAN:
            config, weights = _take_generator(config, weights)
    except Unsound as error:
        raise InputError(f"{show(path)} {error}") from error
    except OSError as error:
        raise InputError(f"{show(path)} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise GanimeError(f"there is not enough memory to read {show(path)}") from error
    return Archive(config, weights, members)


def read_members(path: str | os.PathLike) -> dict[str, bytes]:
    """The members of a ZIP by their names, in bounded memory; their checksums are right.

    Raises:
        Unsound: If it is no such file, damaged, encrypted, or would unpack to far more than it is.
        OSError: If it cannot be read.
    """
    with open(path, "rb") as file:
        head, size = file.read(len(_HDF5)), os.fstat(file.fileno()).st_size
        if not head:
            raise Unsound(f"is empty; {_AGAIN}")
        if head == _HDF5:
            raise Unsound("is HDF5, not a .keras file: load it with Keras, and save the generator as .keras")
        try:
            with zipfile.ZipFile(file) as archive:
                return _unpack(archive, size)
        except (Unsound, MemoryError):
            raise
        except Exception as error:  # zipfile and zlib raise anything at all on broken files
            if isinstance(error, zipfile.BadZipFile) and not head.startswith(b"PK") and not zipfile.is_zipfile(file):
                raise Unsound("is not a .keras file, as `fit` and Keras save them") from error
            raise Unsound(f"is damaged: it was cut short or changed; {_AGAIN}") from error


def objects(config: object) -> Iterator[dict]:
    """All dictionaries in what was JSON, at any depth."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _unpack(archive, size):
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) < len(entries):
        raise Unsound(f"is damaged: it holds a name twice; {_AGAIN}")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Unsound("is encrypted, or damaged; save it without a password")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise Unsound(f"is damaged, or compressed in a way that Keras does not use; {_AGAIN}")
    _check_expansion(sum(entry.file_size for entry in entries), size)
    members = {}
    for entry in entries:
        with archive.open(entry) as member:
            # Not all that is there, which may be far more than was declared. At the last byte the checksum is compared.
            members[entry.filename] = content = member.read(entry.file_size)
        if len(content) < entry.file_size:
            raise EOFError
    return members


def _check_expansion(unpacked, packed):
    if unpacked > max(FREE, min(MOST, EXPANSION * packed)):
        raise Unsound(f"is refused: it would unpack to {unpacked / 1e6:,.0f} MB, {unpacked // max(packed, 1):,} times its size")


def _parse(content):
    if len(content) > MOST_CONFIG:
        raise Unsound(f"is refused: its {CONFIG} has {len(content) / 1e6:,.0f} MB, which no generator needs")
    try:
        config = json.loads(content, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise Unsound(f"is damaged: its {CONFIG} is not what Keras writes; {_AGAIN}")
    return config


def _finite(text):
    if not math.isfinite(number := float(text)):
        raise Unsound(f"makes no faces: a number in its {CONFIG} is not finite")
    return number


def _check_weights(content):
    """See that the weights are a file of their own, and no larger than they say."""
    import h5py

    own, sizes = [], []

    def check(name, item):
        if isinstance(item, h5py.Dataset):
            own.append(not (item.external or item.is_virtual or item.dtype.hasobject))
            sizes.append(math.prod(item.shape or (0,)) * item.dtype.itemsize)

    try:
        with h5py.File(io.BytesIO(content)) as weights:
            weights.id.links.visit(lambda name, link: own.append(link.type == h5py.h5l.TYPE_HARD), info=True)
            weights.visititems(check)
    except MemoryError:
        raise
    except Exception as error:  # whatever HDF5 makes of it
        raise Unsound(f"is damaged: its weights cannot be read; {_AGAIN}") from error
    if not all(own):
        raise Unsound("is refused: its weights lead to other places")
    _check_expansion(sum(sizes), len(content))


def _take_generator(config, weights):
    """The network and the weights of a GAN's averaged generator."""
    import h5py

    try:
        network, made = config["config"]["generator"], io.BytesIO()
        float32 = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
        for layer in network["config"]["layers"]:
            if layer["class_name"] != "InputLayer" and "dtype" in layer["config"]:
                layer["config"]["dtype"] = float32
        with h5py.File(io.BytesIO(weights)) as whole, h5py.File(made, "w") as part:
            averaged = whole["averaged_generator"]
            for name in averaged:
                averaged.copy(name, part)
    except MemoryError:
        raise
    except Exception as error:  # whatever a file can hold
        raise Unsound("is a whole GAN, without a generator that is found in it: save gan.averaged_generator") from error
    return network, made.getvalue()
