"""What saving and opening a run costs, early and late in it, and what of that is the checksum.

    python -m benchmarks.saving --late 1000000

Two runs of the same networks, one at an early and one at a late step, with a history of as many rows and a score in each
thousandth. In turns, `ROUNDS` times: a run is opened (its state read, verified and loaded, its history made to fit), saved with
the state's checksum and without it, in changing order, and its plots are drawn.
"""

import contextlib
import itertools
import statistics
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from unittest import mock

import click
import numpy as np

ROUNDS = 10


def make_run(path, gan, step):
    """A run at that step, as if it had been trained so far."""
    from ganime.history import Summary
    from ganime.run import Run
    from ganime.state import sealed

    run, summary, noise = Run(path), Summary(), np.random.default_rng(0).random((step, 4)).tolist()
    names = ("step", "seconds", "images_per_second", "d_loss", "g_loss", "real_score", "fake_score", "KID-lite0", "FD-lite0")
    run.path.mkdir(parents=True)
    with open(run.history_path, "w", newline="\n") as file:
        file.write(",".join(names) + "\n")
        for number, values in enumerate(noise, 1):
            scores = (values[0], values[1]) if number % 1000 == 0 else (float("nan"),) * 2
            row = (number, 3.0 * number, 40.0, *values, *scores)
            file.write(",".join(map(str, row)) + "\n")
            summary.add(dict(zip(names, row, strict=True)))
        summary.names, summary.size = [*names], file.tell()
    gan.step.assign(step)
    with sealed(gan, {"history": asdict(summary)}) as write:
        write(run.state_path)
    return run


def measure(gan, run, turned):
    """Seconds of each kind, once."""
    from ganime import state
    from ganime.history import Summary
    from ganime.training.callbacks import Checkpoint, History, Plots

    seconds = {}

    @contextlib.contextmanager
    def clock(name):
        began = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - began

    with clock("open"):
        saved = run.newest_state()
        saved.load_into(gan)
        history = History(run.history_path, 128, Summary(**saved.about["history"]))
        history.set_model(gan)
        history.on_train_begin()
    about = {"history": asdict(history.summary)}
    without = partial(mock.patch.object, state, "_digest", lambda *_: bytes(32))
    for name, patch in [("save", contextlib.nullcontext), ("save without checksum", without)][:: -1 if turned else 1]:
        path = run.state_path if name == "save" else run.path / "other.weights.h5"
        checkpoint = Checkpoint(path, run.generator_path, 500, lambda: about, path.with_stem("previous"))
        checkpoint.set_model(gan)
        checkpoint.saved_step = None
        with patch(), clock(name):
            checkpoint.save()
    with clock("plots"):
        Plots(history, run.path).save()
    return seconds


@click.command()
@click.option("--recipe", default="default", show_default=True)
@click.option("--early", default=1000, show_default=True, help="A step.")
@click.option("--late", default=1_000_000, show_default=True, help="Another.")
def main(recipe, early, late):
    """What saving and opening a run costs at two steps of it."""
    from ganime.training.fit import build_gan

    gan = build_gan(recipe)
    with tempfile.TemporaryDirectory() as folder:
        runs = [make_run(Path(folder, str(step)), gan, step) for step in (early, late)]
        rounds = [[measure(gan, run, number % 2) for run in runs] for number in range(ROUNDS)]
    seconds = [{name: statistics.median(times[place][name] for times in rounds) for name in rounds[0][0]} for place in (0, 1)]
    print(f"{'seconds':24}{f'step {early:,}':>16}{f'step {late:,}':>16}{'ratio':>8}")
    for name in seconds[0]:
        ratios = [late_times[name] / early_times[name] for early_times, late_times in rounds]
        print(f"{name:24}{seconds[0][name]:16.3f}{seconds[1][name]:16.3f}{statistics.median(ratios):8.2f}")
    pairs = list(itertools.chain.from_iterable(rounds))
    extra = statistics.median(times["save"] / times["save without checksum"] for times in pairs) - 1
    print(f"checksum: {extra:+.1%} of a save, median of {len(pairs)} pairs")


if __name__ == "__main__":
    main()
