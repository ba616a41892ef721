"""Where the time of a training step goes on a CPU, by kinds of TensorFlow's operations.

    python -m benchmarks.profile_step zero-to-gans

Operations run one at a time here, each on all cores, so that their times add up to the step's; usually two of them may
share the cores.
"""

import collections
import tempfile
import time
from pathlib import Path

import ganime  # isort: skip  (before TensorFlow: it switches oneDNN on)
import click
import numpy as np
import tensorflow as tf

KINDS = {  # parts of the operations' names
    "convolutions, matrix products": ("Conv2D", "MatMul", "Einsum"),
    "batch normalization": ("BatchNorm",),
    "activations": ("Relu", "Tanh"),
    "biases": ("BiasAdd",),
    "moving pixels: quicker convolutions, augmentation": ("Slice", "DepthToSpace", "Pad", "Gather", "SegmentSum", "Transpose"),
    "adding gradients and overlaps": ("AddN",),
}
REST = "Adam, average, losses and the rest"


def measure(recipe, steps):
    """Milliseconds of every operation's kind in a step, and of the whole step."""
    gan = ganime.build_gan(recipe)
    images = tf.constant(ganime.DrawnFaces().load_batch(range(recipe.batch_size), recipe.image_size))
    step = tf.function(gan.train_step)
    for _ in range(3):
        float(step(images)["g_loss"])
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        start = time.perf_counter()
        for _ in range(steps):
            float(step(images)["g_loss"])
        whole = time.perf_counter() - start
        tf.profiler.experimental.stop()
        trace = next(Path(folder).rglob("*.xplane.pb")).read_bytes()
    times = collections.Counter()
    for name, seconds in read_operations(trace):
        times[next((kind for kind, words in KINDS.items() if any(word in name for word in words)), REST)] += seconds
    return {kind: 1000 * seconds / steps for kind, seconds in times.items()}, 1000 * whole / steps


def read_operations(trace):
    """Kinds and seconds of all operations in a trace of TensorFlow's profiler, which names them `scope/name:Kind`."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    for plane in xplane_pb2.XSpace.FromString(trace).planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if ":" in name and "::" not in name and " " not in name:
                    yield name.rsplit(":", 1)[1], event.duration_ps / 1e12


@click.command()
@click.argument("names", nargs=-1)
@click.option("--steps", default=8, show_default=True, help="Traced; best whole cycles of a lazy penalty.")
def main(names, steps):
    """Print a table: the recipes' share of time by kinds of operations."""
    tf.config.threading.set_inter_op_parallelism_threads(1)
    names = names or ["default", "zero-to-gans"]
    results = [measure(ganime.get_recipe(name), steps) for name in names]
    click.echo(f"| |{'|'.join(names)}|\n|---|{'--:|' * len(names)}")
    for kind in [*KINDS, REST]:
        click.echo(f"| {kind} |" + "".join(f" {times.get(kind, 0) / whole:.1%} |" for times, whole in results))
    between = [1 - np.sum(list(times.values())) / whole for times, whole in results]
    click.echo("| between operations |" + "".join(f" {share:.1%} |" for share in between))
    click.echo("| the step |" + "".join(f" {whole:,.0f} ms |" for _, whole in results))


if __name__ == "__main__":
    main()
