"""What a trained generator is made to do, in numbers: walks, edits, projections, and the first face.

    python -m benchmarks.generation --data faces [--model FILE.keras] [--before CHECKOUT] [--only walks,edits]

`walks`: the largest difference between neighboring frames over the median one, in loops of 8 faces and 200 frames, on plain
great circles and as `walk` places them. `speed`: frames of `walk` against bare sampling, in turns. `edits`: for each edit of
the generator, two deviations either way on 500 faces that it was not found with: the share changed the right way, the largest
mean change of another attribute over that of its own, and the Fréchet distance to real faces over that of the same faces
without the edit. `methods`: how many attributes directions found in other ways would do as much for. `project`: the
generator's own faces and pictures. `start`: the whole process that makes one face, in turns with another checkout's.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

import ganime
from ganime.generation import edit_search, latents, projection, sampling
from ganime.generation.attributes import ATTRIBUTES
from ganime.generation.edits import Edits
from ganime.generation.walks import walk
from ganime.metrics.distances import frechet_distance
from ganime.metrics.evaluation import reference_features
from ganime.metrics.features import FeatureExtractor
from ganime.pictures.grids import enlarge, make_grid, save_picture

FIRST_SEED = 1_000_000  # of faces that nothing was found with


def steps(frames):
    """Root mean square difference of each frame to the next, the last to the first."""
    frames = np.stack(frames).astype(np.float32)
    return np.sqrt(np.square(frames - np.roll(frames, -1, axis=0)).mean((1, 2, 3)))


def walks(generator, loops, **_):
    """Evenness of steps."""
    size = generator.input_shape[-1]
    ratios = {"plain great circles": [], "walk": []}
    for i in range(loops):
        points = latents.from_seeds(range(FIRST_SEED + 8 * i, FIRST_SEED + 8 * i + 8), size)
        ends = np.roll(points, -1, axis=0)
        plain = np.concatenate([latents.slerp(a, b, np.arange(25) / 25) for a, b in zip(points, ends, strict=True)])
        for name, frames in (("plain great circles", sampling.paint(generator, plain)), ("walk", [*walk(generator, points)])):
            found = steps(frames)
            ratios[name].append(found.max() / np.median(found))
    print(f"| largest step over the median one, {loops} loops | worst | median | loops above 2 |\n|---|--:|--:|--:|")
    for name, values in ratios.items():
        print(f"| {name} | {max(values):.2f} | {statistics.median(values):.2f} | {sum(value > 2 for value in values)} |")


def speed(generator, rounds, **_):
    """Frames a second against bare sampling."""
    points = latents.from_seeds(range(200), generator.input_shape[-1])

    def seconds(make):
        start = time.perf_counter()
        make()
        return time.perf_counter() - start

    makers = (lambda: sampling.paint(generator, points), lambda: [*walk(generator, points[:8])])
    for make in makers:
        make()
    times = np.array([[seconds(make) for make in makers[:: 1 if i % 2 else -1]][:: 1 if i % 2 else -1] for i in range(rounds)])
    bare, walking = 200 / np.median(times, axis=0)
    ratios = times[:, 0] / times[:, 1]
    print(f"| 200 faces, {rounds} rounds | faces/s | ratio | least | most |\n|---|--:|--:|--:|--:|")
    print(f"| bare sampling | {bare:.0f} | | | |")
    print(f"| walk | {walking:.0f} | {np.median(ratios):.2f} | {ratios.min():.2f} | {ratios.max():.2f} |")


def edits(generator, pictures, model, faces, **_):
    """What each edit does, and whether the faces stay faces."""
    found, meter = Edits.load(model), edit_search.Faces(generator)
    points = latents.from_seeds(range(FIRST_SEED, FIRST_SEED + faces), meter.latent_size)
    before, extractor = meter.attributes(points), FeatureExtractor()
    deviations, names = before.std(0), [*ATTRIBUTES]
    real = reference_features(ganime.split(pictures, generator.output_shape[1])[1], generator.output_shape[1], extractor)

    def distance(chosen):
        return frechet_distance(real, extractor(sampling.paint(generator, chosen))["features"])

    plain = distance(points)
    print(f"| {faces} faces, FD-lite0 {plain:.1f} | deviations | right way | largest other change | FD-lite0, ratio |")
    print("|---|--:|--:|--:|--:|")
    for name in found.names:
        cells, own = [], names.index(name)
        for strength in (-2, 2):
            moved = found.apply(points, {name: strength})
            changes = (meter.attributes(moved) - before) / deviations
            means = changes.mean(0)
            others = np.abs(np.delete(means, own))
            other = np.delete(names, own)[others.argmax()]
            right, spill = (strength * changes[:, own] > 0).mean(), others.max() / abs(means[own])
            cells.append((f"{means[own]:+.1f}", f"{right:.1%}", f"{spill:.2f} {other}", f"{distance(moved) / plain:.2f}"))
        print(f"| {name} | {' | '.join(' / '.join(pair) for pair in zip(*cells, strict=True))} |", flush=True)


def methods(generator, faces, **_):
    """Directions found in other ways, by the same numbers."""
    meter = edit_search.Faces(generator)
    points = latents.from_seeds(range(FIRST_SEED, FIRST_SEED + 6000), meter.latent_size)
    gradient, deviations = edit_search.regress(meter, points)
    first = generator.layers[2]
    kernel = np.asarray(first.kernel).reshape(-1, meter.latent_size)
    closed = np.linalg.eigh(kernel.T @ kernel)[1].T
    layers = generator.__class__(generator.inputs, generator.layers[4].output)
    activations = layers.predict(points, verbose=0, batch_size=500).reshape(len(points), -1)
    activations -= activations.mean(0)
    components = np.linalg.svd(activations[:2000], full_matrices=False)[2][: meter.latent_size]
    principal = np.linalg.lstsq(activations @ components.T, points, rcond=None)[0]
    candidates = {
        "covariance": gradient,
        "its dual basis": np.linalg.pinv(gradient).T,
        "principal components (Härkönen et al. 2020)": _nearest(principal, gradient),
        "closed form (Shen and Zhou 2021)": _nearest(closed, gradient),
    }
    trial = latents.from_seeds(range(FIRST_SEED + 6000, FIRST_SEED + 6000 + faces), meter.latent_size)
    print(
        f"| {faces} faces, {len(gradient)} attributes | right for 97 % | others by a fifth at most | both |\n|---|--:|--:|--:|"
    )
    pairs = {}
    for name, directions in candidates.items():
        unit = directions / (gradient * directions).sum(1, keepdims=True)  # one deviation, to first order
        moves = edit_search.STRENGTH * unit * np.minimum(1, 4 / np.linalg.norm(unit, axis=1, keepdims=True))
        pairs[name] = {1: moves, -1: -moves}
    pairs["as `edits` has them"] = edit_search.search(meter, edit_search.drawer(meter.latent_size), lambda done: None)[0]
    for name, ends in pairs.items():
        right, spill = edit_search.judge(meter, ends, trial, deviations)
        passed = right >= 0.97, spill <= 0.2
        print(f"| {name} | {passed[0].sum()} | {passed[1].sum()} | {(passed[0] & passed[1]).sum()} |", flush=True)


def _nearest(directions, gradient):
    """For each attribute that of some directions which changes it most, to first order."""
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    alike = gradient @ directions.T
    best = np.abs(alike).argmax(1)
    return directions[best] * np.sign(alike[np.arange(len(best)), best])[:, None]


def project(generator, pictures, count, sheet, rounds, **_):
    """How near projections come."""
    own = sampling.sample(generator, range(FIRST_SEED, FIRST_SEED + count))
    real = pictures.load_batch(np.linspace(0, len(pictures) - 1, count).astype(int).tolist(), own.shape[1])
    print(f"| {count} pictures | least dB | 5 % | median | at 34 or more | length of latents | seconds each |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, faces in (("its own faces", own), ("pictures", real)):
        start = time.perf_counter()
        found = projection.project(generator, faces)
        duration = (time.perf_counter() - start) / count
        made = sampling.paint(generator, found)
        ratios = projection.peak_signal_to_noise(faces, made)
        least, low, middle = np.quantile(ratios, [0, 0.05, 0.5])
        length = np.median(np.linalg.norm(found, axis=1))
        enough = f"{(ratios >= 34).sum()} of {count}"
        print(f"| {name} | {least:.1f} | {low:.1f} | {middle:.1f} | {enough} | {length:.1f} | {duration:.1f} |", flush=True)
    if sheet:
        save_picture(sheet, make_grid(enlarge(np.stack([real, made], 1).reshape(-1, *own.shape[1:])[:96], 2), 12))


def start(before, rounds, **_):
    """The first face: whole processes in turns."""
    checkouts = {"here": Path(__file__).parents[1], "before": before}
    times = {name: [] for name in checkouts}
    for i in range(rounds + 1):
        for name in [*checkouts][:: 1 if i % 2 else -1]:
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "cli.py", "generate", "--seeds", "0", "--output", f"{folder}/one"]
                begin = time.perf_counter()
                subprocess.run(command, cwd=checkouts[name], check=True, capture_output=True)
                times[name].append(time.perf_counter() - begin)
    now, then = (statistics.median(times[name][1:]) for name in checkouts)
    print(f"| one face, {rounds} rounds | seconds | ratio |\n|---|--:|--:|\n| before | {then:.2f} | 1 |")
    print(f"| here | {now:.2f} | {now / then:.2f} |")


PARTS = {part.__name__: part for part in (walks, speed, edits, methods, project, start)}


@click.command()
@click.option("--data", required=True, help="Real faces.")
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="A generator.  [default: what ships]")
@click.option("--before", type=click.Path(exists=True, path_type=Path), help="Another checkout, for `start`.")
@click.option("--only", default=",".join(PARTS), show_default=True)
@click.option("--loops", default=20, show_default=True)
@click.option("--faces", default=500, show_default=True, help="On which edits are tried.")
@click.option("--count", default=100, show_default=True, help="Pictures to project, of each kind.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Where to show projected pictures.")
@click.option("--rounds", default=9, show_default=True)
def main(data, model, only, **options):
    """Print a table for each part."""
    generator, pictures = ganime.load_generator(model), ganime.open_pictures(data)
    for name in only.split(","):
        PARTS[name](generator=generator, pictures=pictures, model=model, **options)
        print(flush=True)


if __name__ == "__main__":
    main()
