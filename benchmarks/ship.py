"""The pair that ships, out of a run: the averaged generator, and the discriminator in less than half of its bytes.

    python -m benchmarks.ship RUN checkpoints/anime-face-64.keras

The generator is written as a run saves it. The discriminator's weights are rounded to bfloat16, in which a CPU with AMX
computes with them anyway; then HDF5's own filters (shuffle, gzip) halve the file, and Keras reads it as any other. How far this
moves the logits of 64 of the generator's faces is printed.
"""

import io
import os
from dataclasses import replace
from pathlib import Path

import click
import h5py
import keras
import numpy as np
import tensorflow as tf

import ganime
from ganime.generation.archive import read_archive
from ganime.training.building import build_networks
from ganime.training.forms import own_statistics


def round_to_bfloat16(weights):
    """The nearest float32 whose last 16 bits are 0."""
    return tf.cast(tf.cast(weights, "bfloat16"), "float32").numpy()


def compress(path):
    """Write a `.keras` file anew, its weights compressed."""
    archive, packed = read_archive(path), io.BytesIO()

    def copy(name, item):
        if isinstance(item, h5py.Dataset):
            filters = {"compression": 9, "shuffle": True} if item.shape else {}
            target = weights.create_dataset(name, data=item[()], **filters)
        else:
            target = weights.require_group(name)
        target.attrs.update(item.attrs)

    with h5py.File(io.BytesIO(archive.weights)) as plain, h5py.File(packed, "w") as weights:
        plain.visititems(copy)
    replace(archive, weights=packed.getvalue()).write(path)


@click.command()
@click.argument("run")
@click.argument("output", type=click.Path(path_type=Path))
def main(run, output):
    """Write OUTPUT, which ends in `.keras`, and the discriminator beside it."""
    run, beside = ganime.Run(run), output.with_name(f"{output.stem}.discriminator.keras")
    gan = ganime.load_gan(run)
    discriminator = build_networks(ganime.Recipe(**run.read_config()["recipe"]))[1]  # in float32
    discriminator.set_weights([round_to_bfloat16(array) for array in gan.discriminator.get_weights()])
    discriminator.save(beside)
    compress(beside)
    with own_statistics(gan.averaged_generator) as generator:
        generator.save(output)
    faces = ganime.sample(ganime.load_generator(output), seeds=range(64)) / 127.5 - 1
    before, after = (np.ravel(network(faces)) for network in (gan.discriminator, keras.models.load_model(beside)))
    print(f"logits differ by {np.abs(before - after).max():.2g} at most; their deviation is {before.std():.2g}")
    for path in (output, beside):
        print(f"{path}: {os.path.getsize(path):,} bytes")


if __name__ == "__main__":
    main()
