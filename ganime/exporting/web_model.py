"""The web page's model: a safetensors file, and its proof by the WebAssembly kernel that the page runs (no TensorFlow)."""

import json
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganime.data.names import show
from ganime.errors import GanimeError, missing
from ganime.exporting.small import dequantize
from ganime.files import atomic_write
from ganime.generation.chain import Chain
from ganime.generation.edits import Edits
from ganime.generation.latents import check_latents

FORMAT = "ganime-web-1"
KERNEL = Path(__file__).parent / "page" / "kernel.wasm"
BATCH = 4  # faces at a time
GROUP = 8  # channels of the kernel's images, padded
_TYPES = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "U8": np.uint8}
_INTACT = 0x2144DF1C  # what CRC-32 makes of all that ends with its own CRC-32


def write_web_model(path: str | os.PathLike, chain: Chain, facts: Mapping[str, str], edits: Edits | None = None) -> None:
    """Write a generator as the web page reads it, whole or not at all.

    The file is as https://github.com/huggingface/safetensors describes: for each layer `layers.N.kernel` [height, width,
    outputs, inputs], `layers.N.bias` and, for int8 kernels, `layers.N.scale`; `edits.directions` and `edits.bends`. Its last
    tensor is the CRC-32 of all bytes before it, so that damage is found wherever it is. The package of that name writes the
    metadata in another order each time; this does not.

    Args:
        path: The file.
        chain: Of kernels in float32, float16, or int8 with scales.
        facts: What the file says of itself, from `describe`.
        edits: Of this generator.
    """
    tensors = {}
    for i, layer in enumerate(chain.layers):
        tensors |= {f"layers.{i}.kernel": layer.kernel, f"layers.{i}.bias": layer.bias}
        if layer.kernel.dtype == np.int8:
            tensors[f"layers.{i}.scale"] = layer.scale
    if edits is not None:
        tensors |= {f"edits.{name}": np.asarray(getattr(edits, name), np.float32) for name in ("directions", "bends")}
    height, width, _ = chain.image_shape
    layers = [{"stride": layer.stride, "slope": layer.slope} for layer in chain.layers]
    metadata = {
        **facts,
        "format": FORMAT,
        "latent_size": str(chain.latent_size),
        "height": str(height),
        "width": str(width),
        "layers": json.dumps(layers),
        "edits": json.dumps(edits.names if edits else []),
        **({"labels": json.dumps(chain.labels)} if chain.labels else {}),
    }
    content = _to_safetensors(tensors, metadata)
    with atomic_write(Path(path)) as part:
        part.write_bytes(content + zlib.crc32(content).to_bytes(4, "little"))


def _to_safetensors(tensors, metadata):
    """All but the last four bytes."""
    names = {np.dtype(kind): name for name, kind in _TYPES.items()}
    header, blocks, end = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors, key=lambda name: -tensors[name].itemsize):  # aligned
        array = tensors[name]
        blocks.append(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        start, end = end, end + len(blocks[-1])
        header[name] = {"dtype": names[array.dtype], "shape": array.shape, "data_offsets": [start, end]}
    header["checksum"] = {"dtype": "U8", "shape": [4], "data_offsets": [end, end + 4]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *blocks])


def run_web_model(path: str | os.PathLike, latents: np.ndarray, kernel: Path | None = None) -> np.ndarray:
    """Make images with a written file and the kernel that the page runs, by wasmtime.

    Args:
        path: The file that `write_web_model` wrote.
        latents: Float [count, latent_size].
        kernel: A page's own copy of the kernel; by default that of the package.

    Returns:
        float32 [count, height, width, 3] in [-1, 1].

    Raises:
        GanimeError: If the file is damaged or the generator too large, or wasmtime is not installed.
        InputError: If the latents are of another shape, or a number is not finite.
    """
    tensors, metadata = _read(path)
    layers = json.loads(metadata["layers"])
    latents = check_latents(latents, int(metadata["latent_size"]))
    kernel = _Kernel(kernel or KERNEL)
    place = kernel.call("begin", BATCH, latents.shape[1])
    for i, layer in enumerate(layers):
        weights, scale = (tensors.get(f"layers.{i}.{name}") for name in ("kernel", "scale"))
        weights = weights.astype(np.float32) if scale is None else dequantize(weights, scale)
        slope = -1.0 if layer["slope"] is None else layer["slope"]
        places = kernel.put(weights), kernel.put(tensors[f"layers.{i}.bias"])
        kernel.call("add_layer", *places, *weights.shape, layer["stride"], slope)
    height, width = (int(metadata[name]) for name in ("height", "width"))
    images = []
    for start in range(0, len(latents), BATCH):
        part = latents[start : start + BATCH]
        kernel.write(place, part)
        result = kernel.read(kernel.call("draw", len(part)), (len(part), height + 2, width + 2, GROUP))
        images.append(result[:, 1:-1, 1:-1, :3])
    return np.concatenate(images) if images else np.empty((0, height, width, 3), np.float32)


def is_web_model(path: Path) -> bool:
    """Whether a file begins like one that `write_web_model` wrote."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return f'"format":"{FORMAT}"'.encode() in file.read(min(length, 2**20))


def _read(path):
    content = Path(path).read_bytes()
    if zlib.crc32(content) != _INTACT:
        raise GanimeError(f"{show(path)} is damaged, or no generator for the web page")
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata, tensors = header.pop("__metadata__"), {}
    for name, entry in header.items():
        array = np.frombuffer(content, _TYPES[entry["dtype"]], math.prod(entry["shape"]), 8 + length + entry["data_offsets"][0])
        tensors[name] = array.reshape(entry["shape"])
    return tensors, metadata


class _Kernel:
    """The page's WebAssembly module, and its memory."""

    def __init__(self, path):
        try:
            import wasmtime
        except ImportError as error:
            raise missing("wasmtime") from error
        self._store, self._trap = wasmtime.Store(), wasmtime.Trap
        module = wasmtime.Module.from_file(self._store.engine, str(path))
        self._exports = wasmtime.Instance(self._store, module, []).exports(self._store)

    def call(self, name, *arguments):
        try:
            return self._exports[name](self._store, *arguments)
        except self._trap as error:
            raise GanimeError("this generator is too large for the web page: more than 64 layers, or more than 4 GB") from error

    def write(self, place, array):
        self._exports["memory"].write(self._store, np.ascontiguousarray(array, "<f4").tobytes(), place)

    def put(self, array):
        place = self.call("place", array.nbytes)
        self.write(place, array)
        return place

    def read(self, place, shape):
        content = self._exports["memory"].read(self._store, place, place + 4 * math.prod(shape))
        return np.frombuffer(content, "<f4").reshape(shape)
