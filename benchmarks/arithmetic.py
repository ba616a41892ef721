"""What a training step of each recipe takes, on paper: operations, bytes, and how far it spreads over hosts.

    python -m benchmarks.arithmetic --gflops 15000 --network 10

Operations are those of convolutions and matrix products, two for a multiplication and its addition, padding included. Bytes are
the least that have to move, in float32, as if all between two convolutions were part of them. An output of a convolution or
dense layer is written and read in a pass forward; in a pass backward it is read, and its gradient written and read. A weight is
read in each of these passes; for an update its gradient is written and read, and Adam reads and writes it and its two moments.
FLOP/byte is operations by all these bytes: a device that can do more of them per byte of its memory's rate waits for memory.

Data-parallel hosts divide the batch, and exchange the gradients of what they update: in a ring of n, each sends 2(n-1)/n times
their size. `exchange longer from` is the number of hosts from which that takes longer than the computing.
"""

import math
from typing import NamedTuple

import click
import keras

import ganime

# With these alone the second derivative by the input is 0 almost everywhere.
PIECEWISE_LINEAR = ("InputLayer", "Conv2D", "Dense", "Flatten", "LeakyReLU", "ReLU", "Reshape", "ZeroPadding2D")


class Network(NamedTuple):
    """A network's operations on the way forward, of all layers, the first and the last; outputs of these; parameters."""

    total: int
    first: int
    last: int
    outputs: int
    parameters: int


class Step(NamedTuple):
    """Operations and bytes of a training step on a whole batch, on average over the steps."""

    operations: float
    activations: float
    weights: float
    exchanged: float
    parameters: int


def count_network(network: keras.Model) -> Network:
    """Count a network's numbers for one picture."""
    operations, outputs = [], 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose | keras.layers.Dense):
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            positions = (layer.input if transposed else layer.output).shape[1:-1]
            operations.append(2 * math.prod(layer.kernel.shape) * math.prod(positions))
            outputs += math.prod(layer.output.shape[1:])
    parameters = sum(math.prod(variable.shape) for variable in network.trainable_variables)
    return Network(sum(operations), operations[0], operations[-1], outputs, parameters)


def count_step(recipe: ganime.Recipe) -> Step:
    """Count a recipe's step; where it may hold the generator (`hold_below`), as if it never did."""
    gan = ganime.build_gan(recipe)
    g, d = count_network(gan.generator), count_network(gan.discriminator)
    moving = 1 / recipe.d_updates  # the share of steps that move the generator
    penalized = 1 / recipe.r1_interval if recipe.r1_weight else 0  # and of those with a gradient penalty
    curved = any(type(layer).__name__ not in PIECEWISE_LINEAR for layer in gan.discriminator.operations)

    # A pass backward has each layer's gradient by its weights and, unless the layer is the first, by its input.
    d_update = g.total + 2 * d.total + 2 * (2 * d.total - d.first)
    # By the input only, of the first layer too, and on through the generator.
    g_update = (0 if recipe.reuse_fakes else g.total) + 2 * d.total + (2 * g.total - g.first)
    # Forward, backward to the images, then back through that pass: by the weights and by all but the first gradient, the
    # logits'. Where the gradient by the images depends on where they are, back through the pass forward, too
    # (which TensorFlow does in any case, elsewhere with zeros).
    penalty = 4 * d.total - d.last + curved * (2 * (d.total - d.last) - d.first)
    operations = d_update + moving * g_update + penalized * penalty

    g_forward, g_backward = 1 + (0 if recipe.reuse_fakes else moving), moving
    d_forward, d_backward = 2 + moving + penalized, 2 + moving + penalized * (2 + curved)
    outputs = g.outputs * (2 * g_forward + 3 * g_backward) + d.outputs * (2 * d_forward + 3 * d_backward)
    d_updates = 1 + recipe.separate_updates
    updated = g.parameters * moving + d.parameters * d_updates
    weights = 8 * updated + g.parameters * (g_forward + g_backward) + d.parameters * (d_forward + d_backward)
    size = recipe.batch_size
    return Step(size * operations, 4 * size * outputs, 4 * weights, 4 * updated, g.parameters + d.parameters)


def step_operations(recipe: ganime.Recipe) -> float:
    """Operations of a recipe's step on a whole batch."""
    return count_step(recipe).operations


@click.command()
@click.option("--gflops", default=15_000.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Of a host.")
@click.option("--network", default=10.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Gbit/s of a host.")
def main(gflops, network):
    """Print a table of all recipes."""
    click.echo(f"Hosts of {gflops:,.0f} GFLOP/s at {network:g} Gbit/s, which divide the batch\n")
    columns = ("recipe", "batch", "GFLOP per step", "per picture", "million parameters", "MB of activations", "MB of weights")
    columns += ("FLOP/byte", "MB exchanged", "ms to compute, 1 host", "ms to exchange, 2 hosts", "exchange longer from")
    click.echo(f"| {' | '.join(columns)} |\n|---" + "|--:" * (len(columns) - 1) + "|")
    for name, recipe in ganime.RECIPES.items():
        step = count_step(recipe)
        compute, exchange = step.operations / (gflops * 1e9), step.exchanged / (network * 1e9 / 8)
        hosts = math.floor(1 + compute / (2 * exchange)) + 1  # the first n with 2 (n - 1) / n * exchange > compute / n
        cells = [f"{recipe.batch_size}", f"{step.operations / 1e9:,.0f}", f"{step.operations / recipe.batch_size / 1e9:.2f}"]
        cells += [f"{step.parameters / 1e6:.1f}", f"{step.activations / 1e6:,.0f}", f"{step.weights / 1e6:,.0f}"]
        cells += [f"{step.operations / (step.activations + step.weights):.0f}", f"{step.exchanged / 1e6:.1f}"]
        cells += [f"{compute * 1e3:,.1f}", f"{exchange * 1e3:,.1f}"]
        cells += [f"{hosts} hosts" if hosts <= recipe.batch_size else "never"]  # a host has a picture or more
        click.echo(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
