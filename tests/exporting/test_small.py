import itertools
from dataclasses import replace

import numpy as np
import pytest

from ganime.exporting.small import BLOCK, QuantizedLayer, shrink
from ganime.generation.chain import Chain, Layer, read_chain
from ganime.generation.latents import from_seeds
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.generation.sampling import SHIPPED
from ganime.pictures.grids import to_uint8


def make_chain(*sizes):
    """As of a training: pictures that are not gray, some weights far larger than most."""
    random = np.random.default_rng(0)

    def layer(i, inputs, outputs):
        kernel = random.standard_t(6, (4, 4, outputs, inputs)) / inputs**0.5
        bias, stride, slope = random.normal(0.3, 0.1, outputs), 2 if i else 1, 0.1 if i < len(sizes) - 2 else None
        return Layer(kernel.astype(np.float32), bias.astype(np.float32), stride, slope)

    return Chain(tuple(layer(i, *pair) for i, pair in enumerate(itertools.pairwise(sizes))))


@pytest.fixture(scope="module")
def chain():
    return make_chain(100, 64, 48, 33, 3)


def draw(chain, seeds=range(1000, 1032)):
    return NumpyGenerator(chain)(from_seeds(seeds, chain.latent_size))


def error(chain, small):
    return np.sqrt(np.square(draw(small) - draw(chain)).mean())


def plain_int8(chain):
    """The usual way: a scale for each output."""

    def quantize(layer):
        scale = np.abs(layer.kernel).max((0, 1, 3), keepdims=True) / 127
        return replace(layer, kernel=np.rint(layer.kernel / scale) * scale)

    return replace(chain, layers=tuple(map(quantize, chain.layers)))


def count_bytes(chain):
    return sum(layer.kernel.nbytes + getattr(layer, "scale", layer.kernel[:0]).nbytes for layer in chain.layers)


def test_float32_is_as_it_is(chain):
    assert shrink(chain, "float32") is chain


def test_float16_rounds(chain):
    small = shrink(chain, "float16")
    assert count_bytes(small) * 2 == count_bytes(chain)
    for layer, before in zip(small.layers, chain.layers, strict=True):
        assert layer.kernel.dtype == np.float16 and layer.weights.dtype == np.float32
        np.testing.assert_allclose(layer.weights, before.kernel, rtol=2.0**-11, atol=2.0**-25)
        np.testing.assert_allclose(layer.bias, before.bias, rtol=2.0**-11)
        assert replace(layer, kernel=before.kernel, bias=before.bias) == before
    assert 0 < error(chain, small) < 1e-3


def test_int8_is_a_quarter(chain):
    *small, last = shrink(chain, "int8").layers
    assert last.kernel.dtype == np.float16
    for layer, before in zip(small, chain.layers[:-1], strict=True):
        assert isinstance(layer, QuantizedLayer) and layer.kernel.dtype == np.int8 and layer.kernel.shape == before.kernel.shape
        assert layer.scale.dtype == np.float16 and layer.scale.shape == (
            *before.kernel.shape[:3],
            -(-before.kernel.shape[3] // BLOCK),
        )
        assert (layer.bias is before.bias, layer.stride, layer.slope) == (True, before.stride, before.slope)
    wide = make_chain(128, 64, 64, 3)
    assert count_bytes(shrink(wide, "int8")) < 0.28 * count_bytes(wide)


def test_int8_is_the_same_each_time(chain):
    first, second = (
        [array.tobytes() for layer in shrink(chain, "int8").layers for array in (layer.kernel, layer.weights)] for _ in range(2)
    )
    assert first == second


def test_int8_weights_are_near(chain):
    """Each within half a step of its block, or, the largest, 3 % off; where a scale for all would lose the small ones."""
    for layer, before in zip(shrink(chain, "int8").layers[:-1], chain.layers[:-1], strict=True):
        for start in range(0, before.kernel.shape[3], BLOCK):
            block = before.kernel[..., start : start + BLOCK]
            largest = np.abs(block).max(3, keepdims=True)
            off = np.abs(layer.weights[..., start : start + BLOCK] - block)
            assert (off <= np.where(np.abs(block) > 0.95 * largest, 0.035, 0.5 / 111) * largest).all()


def test_int8_errors_are_much_smaller_than_usual(chain):
    assert 0 < error(chain, shrink(chain, "int8")) < 0.5 * error(chain, plain_int8(chain))


def test_a_scale_that_rounds_least_is_taken(chain):
    """Than the scale that makes the largest weight 127, as llama.cpp does, in every block; much in all."""
    layer, before = shrink(chain, "int8").layers[0], chain.layers[0].kernel[..., :BLOCK]
    scale = np.float16(np.abs(before).max(3, keepdims=True) / 127).astype(np.float32)
    ours, theirs = (
        np.square(rounded - before).sum(3) for rounded in (layer.weights[..., :BLOCK], np.rint(before / scale) * scale)
    )
    assert (ours <= theirs * 1.0001).all() and ours.sum() < 0.85 * theirs.sum()


@pytest.mark.parametrize("factor", [0, 1e-7, 1e-3, 1e3])
def test_weights_of_all_sizes(chain, factor):
    layer = replace(chain.layers[0], kernel=chain.layers[0].kernel * np.float32(factor))
    small = shrink(Chain((layer, *chain.layers[1:])), "int8").layers[0]
    assert np.abs(small.weights - layer.kernel).max() <= 2.0**-25 + 0.02 * np.abs(layer.kernel).max()


def test_the_shipped_faces_are_the_same_to_the_eye():
    """One 8-bit value in twenty is off by more than one, and none by what one sees."""
    chain = read_chain(SHIPPED)
    small = shrink(chain, "int8")
    assert count_bytes(small) < 0.27 * count_bytes(chain)
    faces, expected = (to_uint8(draw(which, range(64))).astype(int) for which in (small, chain))
    off = np.abs(faces - expected)
    assert off.max() <= 15 and off.mean() < 0.5 and (off > 1).mean() < 0.06
    assert 10 * np.log10(255**2 / np.square(off).mean()) > 50
