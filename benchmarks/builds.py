"""`fit` of this build beside that of an earlier one, end to end, in turns on the same cores.

    python -m benchmarks.builds --data FOLDER --rounds 5

"Whole" is the program from its start to its end; "steady" the rate between two of its steps, by the history, with grids, states
and plots; memory is the most that the process held. Ratios are those of a round, median and range.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from ganime.history import read_history
from ganime.recipes import get_recipe

ROOT = Path(__file__).parents[1]
FIRST = 50  # steps that are not steady


def measure(root, run, options):
    """Images per second, whole and steady, and bytes of memory."""
    began = time.monotonic()
    command = [sys.executable, "cli.py", "fit", "--run", str(run), *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, **quiet)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{root}: {' '.join(command)} failed")
    whole, history = time.monotonic() - began, read_history(run / "history.csv")
    steady = len(history["step"]) - FIRST, history["seconds"][-1] - history["seconds"][FIRST - 1]
    return {"whole": len(history["step"]) / whole, "steady": steady[0] / steady[1], "memory": usage.ru_maxrss * 1024}


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, resolve_path=True), help="Pictures.")
@click.option("--earlier", default="b941780", show_default=True, help="The earlier build's commit.")
@click.option("--recipe", default="default", show_default=True)
@click.option("--steps", default=400, show_default=True, type=click.IntRange(2 * FIRST))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.argument("options", nargs=-1)
def main(data, earlier, recipe, steps, rounds, options):
    """Measure; OPTIONS, after --, are this build's own."""
    batch_size, found = get_recipe(recipe).batch_size, []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "-q", str(ROOT), f"{folder}/earlier"], check=True)
        subprocess.run(["git", "-C", f"{folder}/earlier", "checkout", "-q", earlier], check=True)
        roots, shared = (
            {"earlier": Path(folder, "earlier"), "this": ROOT},
            ["--data", data, "--recipe", recipe, "--steps", str(steps)],
        )
        for number in range(rounds):
            turn = list(roots)[:: 1 if number % 2 else -1]
            results = {
                name: measure(roots[name], Path(folder, f"{name}-{number}"), [*shared, *(options if name == "this" else ())])
                for name in turn
            }
            found.append(results)
            print(number, {name: {k: round(v, 2) for k, v in r.items()} for name, r in results.items()}, file=sys.stderr)
    print(f"| {recipe}, {steps} steps | {earlier} | this build | ratio | range |\n|---|--:|--:|--:|--:|")
    for key, unit, scale in (("whole", "images/s", batch_size), ("steady", "images/s", batch_size), ("memory", "MB", 1e-6)):
        medians = [statistics.median(r[name][key] for r in found) * scale for name in roots]
        ratios = sorted(r["this"][key] / r["earlier"][key] for r in found)
        row = [f"{value:,.0f}" for value in medians] + [
            f"{statistics.median(ratios):.3f}",
            f"{ratios[0]:.3f} to {ratios[-1]:.3f}",
        ]
        print(f"| {key}, {unit} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
