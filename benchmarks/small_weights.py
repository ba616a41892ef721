"""Faces of a generator in fewer bytes beside its float32 faces: in numbers, and as a picture for the eye.

    python -m benchmarks.small_weights [--model FILE.keras] [--faces 1000] [--sheet sheet.png]

Each row is a way to store the weights. Bytes are those of kernels, scales and biases. Differences are of images in [-1, 1], and
of their 8-bit values; the distance is that of the faces' features to those of the float32 faces of the same seeds. In the last
row, to compare with, are other seeds' faces in float32. The picture has the six faces that differ most and the first six, each
in float32, in int8, and sixteen times their difference.
"""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from ganime.exporting.small import shrink
from ganime.generation.chain import read_chain
from ganime.generation.latents import from_seeds
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.generation.sampling import SHIPPED
from ganime.metrics.distances import frechet_distance
from ganime.metrics.features import FeatureExtractor
from ganime.pictures.grids import enlarge, make_grid, save_picture, to_uint8

_DIFFERENCES = "largest difference", "mean", "8-bit values that differ", "by 2 and more", "most", "PSNR, dB", "least"
COLUMNS = ("MB", *_DIFFERENCES, "FD-lite0")


def draw(chain, seeds):
    """Images, float32 [seeds, height, width, 3]."""
    generator, latents = NumpyGenerator(chain), from_seeds(seeds, chain.latent_size)
    return np.concatenate([generator(latents[i : i + 64]) for i in range(0, len(latents), 64)])


def per_axis(chain, axes):
    """The chain in int8 with a scale for all weights along these axes of the kernels, and their bytes."""

    def quantize(layer):
        scale = np.abs(layer.kernel).max(axes, keepdims=True) / 127
        nonlocal size
        size += layer.kernel.size + 4 * scale.size + layer.bias.nbytes
        return replace(layer, kernel=np.rint(layer.kernel / scale) * scale)

    size = 0
    return replace(chain, layers=tuple(map(quantize, chain.layers))), size


def count_bytes(chain):
    """Of all that a file has to hold."""
    arrays = [getattr(layer, name, None) for layer in chain.layers for name in ("kernel", "bias", "scale")]
    return sum(array.nbytes for array in arrays if array is not None)


def contenders(chain):
    """Names, chains and bytes."""
    yield "int8, a scale for each output", *per_axis(chain, (0, 1, 3))
    yield "int8, a scale for each output at each place of the kernel", *per_axis(chain, 3)
    for name, weights in (("int8 as exported", "int8"), ("float16 as exported", "float16")):
        shrunk = shrink(chain, weights)
        yield name, shrunk, count_bytes(shrunk)


@click.command()
@click.option("--model", default=SHIPPED, type=click.Path(exists=True, path_type=Path))
@click.option("--faces", default=1000, show_default=True, type=click.IntRange(10))
@click.option("--sheet", type=click.Path(path_type=Path), help="A picture of faces in int8 as exported.")
def main(model, faces, sheet):
    """Print the table."""
    chain, extractor = read_chain(model), FeatureExtractor()

    def extract(images):
        return extractor(to_uint8(images))["features"]

    images = draw(chain, range(faces))
    features, levels = extract(images), to_uint8(images).astype(int)
    print(f"| | {' | '.join(COLUMNS)} |\n|---{'|--:' * len(COLUMNS)}|")
    for name, contender, size in contenders(chain):
        made = draw(contender, range(faces))
        off, off8 = np.abs(made - images), np.abs(to_uint8(made) - levels)
        psnr, worst = (10 * np.log10(4 / error) for error in (np.square(off).mean(), np.square(off).mean((1, 2, 3)).max()))
        cells = f"{size / 1e6:.2f} | {off.max():.4f} | {off.mean():.5f} | {(off8 > 0).mean():.1%} | {(off8 > 1).mean():.2%}"
        distance = frechet_distance(features, extract(made))
        print(f"| {name} | {cells} | {off8.max()} | {psnr:.1f} | {worst:.1f} | {distance:.3g} |", flush=True)
        if sheet and name.startswith("int8 as"):
            chosen = [*np.argsort(-off.max((1, 2, 3)), kind="stable")[:6], *range(6)]
            shown = np.stack([levels, to_uint8(made), 128 + 16 * (to_uint8(made) - levels)], 1)[chosen]
            shown = shown.clip(0, 255).astype(np.uint8).reshape(-1, *images.shape[1:])
            save_picture(sheet, make_grid(enlarge(shown, 4), columns=6))
    other = frechet_distance(features, extract(draw(chain, range(faces, 2 * faces))))
    print(f"| float32, other seeds | {count_bytes(chain) / 1e6:.2f} |{' |' * len(_DIFFERENCES)} {other:.3g} |")


if __name__ == "__main__":
    main()
