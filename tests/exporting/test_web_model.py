"""The page's kernel and its worker against NumPy: WebAssembly by wasmtime, JavaScript by V8."""

import json
import shutil
import subprocess
import sys
import zlib

import numpy as np
import pytest
from py_mini_racer import MiniRacer
from safetensors import safe_open

from ganime.errors import GanimeError, InputError
from ganime.exporting import web, web_model
from ganime.exporting.small import WEIGHTS, shrink
from ganime.exporting.web_model import KERNEL, run_web_model, write_web_model
from ganime.generation.chain import Chain, Layer, read_chain
from ganime.generation.edits import Edits
from ganime.generation.latents import from_seeds
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.generation.sampling import SHIPPED
from ganime.pictures.grids import to_uint8

# What a browser's worker has and a bare V8 has not, and a way to ask the worker from here.
WORKER = """
class TextDecoder { decode(bytes) { return decodeURIComponent(escape(String.fromCharCode(...bytes))); } }
const self = { postMessage: (answer) => { self.answer = answer; } };
const buffer = (hex) => Uint8Array.fromHex(hex).buffer;
const write = (_, value) =>
  value instanceof Float32Array ? [...value]
    : value instanceof Uint8ClampedArray ? new Uint8Array(value.buffer).toHex() : value;
const ask = (data) => { self.onmessage({ data }); return JSON.stringify(self.answer, write); };
"""
SHAPES = {  # the coarsest image, the widths, the latent, the slope; the strides, if not all but the first are 2
    "usual": ((4, 4), (16, 8, 8), 8, 0.0),
    "odd widths": ((5, 5), (9, 7, 5), 5, 0.2),
    "one of each": ((6, 6), (1, 1, 1), 1, 0.1),
    "wide at the end": ((7, 7), (2, 40), 70, 1.0),
    "128 pixels": ((4, 4), (24, 12, 9, 8, 4), 17, 0.3),
    "not square": ((4, 6), (13, 12), 3, 0.0),
    "deeper": ((4, 5), (9, 9, 9, 12, 12, 5), 6, 0.2, (1, 1, 1, 2, 1, 2, 2)),
}


def make_chain(shape, seed=0):
    """A chain whose images are of all values."""
    base, widths, inputs, slope, *strides = shape
    (strides,) = strides or [(1, *(2 for _ in widths))]
    random = np.random.default_rng(seed)
    layers = []
    for i, (outputs, stride) in enumerate(zip((*widths, 3), strides, strict=True)):
        sides, terms = (base, 1) if i == 0 else ((stride + 2,) * 2, 4 if stride == 2 else 9)
        kernel = random.normal(0, 1.5 / np.sqrt(inputs * terms), (*sides, outputs, inputs)).astype(np.float32)
        bias = random.normal(0, 0.1, outputs).astype(np.float32)
        layers.append(Layer(kernel, bias, stride, slope if i < len(widths) else None))
        inputs = outputs
    return Chain(tuple(layers))


def make_row(values, slope):
    """A chain of one layer, in which the latent [1] makes an image of these values, and their number."""
    values = np.resize(np.asarray(values, np.float32), (1, -(-len(values) // 3), 3))
    return Chain((Layer(values[..., None], np.zeros(3, np.float32), 1, slope),)), values.ravel()


def write(path, chain, facts=None, edits=None):
    write_web_model(path, chain, {"name": "é"} if facts is None else facts, edits)
    return path


@pytest.fixture(params=["wasm", "javascript"])
def worker(request):
    return Worker(request.param)


class Worker:
    """The page's worker, with the kernel and without."""

    def __init__(self, how):
        self.how, self._engine = how, MiniRacer()
        self._engine.eval(WORKER + KERNEL.with_name("worker.js").read_text())

    def open(self, content, kernel=None):
        kernel = web.seal(KERNEL.read_bytes()) if kernel is None else kernel
        kernel = f'buffer("{kernel.hex()}")' if self.how == "wasm" else "null"
        return self.ask(f'{{ type: "open", model: buffer("{content.hex()}"), kernel: {kernel} }}')

    def draw(self, latents, shape):
        answer = self.ask(f'{{ type: "draw", id: 7, latents: new Float32Array(buffer("{latents.tobytes().hex()}")) }}')
        assert (answer["type"], answer["id"]) == ("drawn", 7)
        return np.frombuffer(bytes.fromhex(answer["pixels"]), np.uint8).reshape(len(latents), *shape, 4)

    def ask(self, message):
        return json.loads(self._engine.eval(f"ask({message})"))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_kernel_and_numpy_make_the_same_images(tmp_path, shape):
    chain = make_chain(shape)
    latents = from_seeds(range(7), chain.latent_size)
    images = NumpyGenerator(chain)(latents)
    assert images.std() > 0.2
    found = run_web_model(write(tmp_path / "g.safetensors", chain), latents)
    assert found.dtype == np.float32 and found.shape == images.shape
    assert np.abs(found - images).max() < 1e-5


@pytest.mark.parametrize("weights", WEIGHTS)
def test_small_weights_compute_in_float32(tmp_path, weights):
    chain = shrink(make_chain(SHAPES["odd widths"]), weights)
    latents = from_seeds(range(3), chain.latent_size)
    found = run_web_model(write(tmp_path / "g.safetensors", chain), latents)
    assert np.abs(found - NumpyGenerator(chain)(latents)).max() < 1e-5


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", ["odd widths", "not square", "deeper"])
def test_the_worker_draws_what_numpy_draws(tmp_path, worker, name, weights):
    chain = shrink(make_chain(SHAPES[name]), weights)
    opened = worker.open(write(tmp_path / "g.safetensors", chain).read_bytes())
    assert (opened["type"], opened["how"]) == ("ready", worker.how)
    for count in (1, 6):
        latents = from_seeds(range(count), chain.latent_size)
        expected = to_uint8(NumpyGenerator(chain)(latents)).astype(int)
        pixels = worker.draw(latents, chain.image_shape[:2])
        difference = np.abs(pixels[..., :3] - expected)
        assert difference.max() <= 1 and (difference > 0).mean() < 1e-3
        assert (pixels[..., 3] == 255).all()


def test_the_generator_that_ships(tmp_path):
    chain, latents = read_chain(SHIPPED), from_seeds(range(5), 128)
    write_web_model(tmp_path / "g.safetensors", chain, {})
    images, expected = run_web_model(tmp_path / "g.safetensors", latents), NumpyGenerator(chain)(latents)
    assert np.abs(images - expected).max() < 1e-5
    assert np.abs(to_uint8(images).astype(int) - to_uint8(expected)).max() <= 1


def test_bytes_are_rounded_half_to_even_and_clipped_as_by_numpy(tmp_path, worker):
    halves = np.float32((np.arange(255) + 0.5) / 127.5 - 1)
    near = np.concatenate([halves, np.nextafter(halves, np.float32(-2)), np.nextafter(halves, np.float32(2))])
    ties = near[(near + 1) * np.float32(127.5) % 1 == 0.5]
    assert len(ties) > 100
    chain, values = make_row(np.concatenate([near, np.linspace(-1.5, 1.5, 999), [-1e9, 1e9]]), 1.0)
    worker.open(write(tmp_path / "g.safetensors", chain).read_bytes())
    pixels = worker.draw(np.ones((1, 1), np.float32), chain.image_shape[:2])
    assert np.array_equal(pixels[..., :3].ravel(), to_uint8(values))


def test_the_kernels_tanh_is_exact_to_float32(tmp_path):
    chain, values = make_row(np.concatenate([np.linspace(-12, 12, 40_001), np.geomspace(1e-30, 1, 99), [-1e30, 1e30]]), None)
    found = run_web_model(write(tmp_path / "g.safetensors", chain), np.ones((1, 1))).ravel()
    assert np.abs(found - np.tanh(values.astype(np.float64))).max() < 2e-7


def test_facts_and_edits_arrive(tmp_path, worker):
    chain = make_chain(SHAPES["usual"])
    directions = np.random.default_rng(1).normal(size=(2, 8)).astype(np.float32)
    edits = Edits(["hair-warmth", "eye-size"], directions, directions / 8, np.ones(2), np.ones(2))
    facts = {"name": "é ✓", "license": "MIT"}
    content = write(tmp_path / "g.safetensors", chain, facts, edits).read_bytes()
    opened = worker.open(content)
    assert (opened["latentSize"], opened["height"], opened["width"], opened["facts"]) == (8, 32, 32, facts)
    assert opened["edits"] == edits.names
    assert np.array_equal(np.float32(opened["directions"]), directions.ravel())
    assert np.array_equal(np.float32(opened["bends"]), directions.ravel() / 8)
    assert write(tmp_path / "again.safetensors", chain, facts, edits).read_bytes() == content


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_file_is_what_safetensors_reads(tmp_path, weights):
    chain = shrink(make_chain(SHAPES["odd widths"]), weights)
    with safe_open(write(tmp_path / "g.safetensors", chain), "numpy") as file:
        for i, layer in enumerate(chain.layers):
            kernel = file.get_tensor(f"layers.{i}.kernel")
            assert kernel.dtype == layer.kernel.dtype and np.array_equal(kernel, layer.kernel)
            assert np.array_equal(file.get_tensor(f"layers.{i}.bias"), layer.bias)
        assert file.metadata()["name"] == "é"


def test_damage_is_found_wherever_it_is(tmp_path, worker):
    path = write(tmp_path / "g.safetensors", make_chain(SHAPES["one of each"]))
    content = path.read_bytes()
    damaged = [b"", bytes(100), b"<!doctype html>", content[:-1], content[:100], content + b"\0"]
    for place in np.random.default_rng(2).integers(0, 8 * len(content), 40):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    for some in damaged:
        answer = worker.open(some)
        assert answer["type"] == "failed" and "damaged" in answer["message"], answer
        path.write_bytes(some)
        with pytest.raises(GanimeError, match="damaged"):
            run_web_model(path, np.ones((1, 1)))


def seal(header, data=b""):
    """A file of this header with a checksum that is right."""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    content = len(text).to_bytes(8, "little") + text + data
    return content + zlib.crc32(content).to_bytes(4, "little")


def test_an_intact_file_of_something_else_is_refused(tmp_path, worker):
    write_web_model(path := tmp_path / "g.safetensors", chain := make_chain(SHAPES["usual"]), {})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    data = content[8 + length : -4]

    def change(name, **entries):
        header = json.loads(content[8 : 8 + length])
        header[name] |= entries
        return worker.open(seal(header, data))

    assert change("__metadata__")["type"] == "ready"
    assert "another version" in change("__metadata__", format="ganime-web-2")["message"]
    size = chain.layers[0].kernel.size
    for name, entries in [
        ("__metadata__", {"layers": '[{"stride": 1, "slope": 0}]'}),
        ("__metadata__", {"layers": json.dumps([{"stride": 2, "slope": 0.0}] * 4)}),
        ("__metadata__", {"layers": json.dumps([{"stride": 1, "slope": 0.0}] * 4)}),
        ("__metadata__", {"layers": json.dumps([{"stride": 1 + (i > 0), "slope": 7} for i in range(4)])}),
        ("__metadata__", {"height": "33"}),
        ("__metadata__", {"edits": '["smile"]'}),
        ("layers.0.kernel", {"shape": [4, 4, 8, 16]}),
        ("layers.0.kernel", {"dtype": "F64"}),
        ("layers.0.kernel", {"data_offsets": [len(data), len(data) + 4 * size]}),
        ("layers.1.kernel", {"shape": [4, 4, 8, 15]}),
        ("layers.1.kernel", {"shape": [-4, -4, 8, 16]}),
    ]:
        answer = change(name, **entries)
        assert answer["type"] == "failed" and "damaged" in answer["message"], (name, entries)


def test_a_damaged_kernel_is_refused_and_not_replaced(tmp_path):
    """Some would draw other faces; and plain JavaScript would draw slowly, the browser being blamed."""
    content = write(tmp_path / "g.safetensors", make_chain(SHAPES["usual"])).read_bytes()
    worker, kernel = Worker("wasm"), web.seal(KERNEL.read_bytes())
    flipped = (kernel[:place] + bytes([kernel[place] ^ 4]) + kernel[place + 1 :] for place in range(0, len(kernel), 997))
    for damaged in (*flipped, kernel[:-1], kernel[: len(kernel) // 2], b"", b"<!doctype html>", KERNEL.read_bytes()):
        answer = worker.open(content, damaged)
        assert answer["type"] == "failed" and "kernel.wasm is damaged" in answer["message"]
    assert worker.open(content)["how"] == "wasm"


def test_a_browser_without_what_the_kernel_needs_draws_by_javascript(tmp_path):
    content = write(tmp_path / "g.safetensors", make_chain(SHAPES["usual"])).read_bytes()
    other = KERNEL.read_bytes()[:8] + b"\x0b"  # what this browser does not know
    assert Worker("wasm").open(content, web.seal(other))["how"] == "javascript"


def test_what_cannot_be_drawn_is_said_in_one_line(tmp_path, worker):
    worker.open(write(tmp_path / "g.safetensors", make_chain(SHAPES["usual"])).read_bytes())
    answer = worker.ask('{ type: "draw", id: 1 }')
    assert (answer["type"], answer["id"]) == ("failed", 1) and "cannot draw" in answer["message"]
    with pytest.raises(InputError, match=r"\[count, 8\]"):
        run_web_model(tmp_path / "g.safetensors", np.ones((1, 9)))


def test_a_generator_of_too_many_layers_is_refused(tmp_path):
    chain = make_chain(((1, 1), (1,) * 64, 1, 0.0, (1,) * 65))
    with pytest.raises(GanimeError, match="64 layers"):
        run_web_model(write(tmp_path / "g.safetensors", chain), np.ones((1, 1)))


def test_without_wasmtime_its_name_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(GanimeError, match="wasmtime"):
        run_web_model(write(tmp_path / "g.safetensors", make_chain(SHAPES["usual"])), np.ones((1, 8)))


@pytest.mark.slow
def test_the_kernel_is_built_from_its_source(tmp_path, monkeypatch):
    """By whatever compiler is there; the bytes differ from one to another, the sums do not."""
    if not (shutil.which("clang") and shutil.which("wasm-ld")):
        pytest.skip("needs clang and wasm-ld")
    source = KERNEL.with_suffix(".c").read_text()
    shutil.copy(KERNEL.with_suffix(".c"), tmp_path)
    for line in source.splitlines()[:20]:
        if line.startswith("//   "):
            subprocess.run(line[2:].split(), cwd=tmp_path, check=True)
    path = write(tmp_path / "g.safetensors", make_chain(SHAPES["odd widths"]))
    latents = from_seeds(range(5), 5)
    committed = run_web_model(path, latents)
    monkeypatch.setattr(web_model, "KERNEL", tmp_path / "kernel.wasm")
    assert np.array_equal(run_web_model(path, latents), committed)
