"""What this build brings on a GPU over an earlier one, without options and with its best ones, in eight minutes at most.

    python -m benchmarks.gpu --data FOLDER --output gpu.md
    python -m benchmarks.gpu --data FOLDER --dry-run     # tiny networks, few steps: whether all works, with a GPU or without

One table, written into its file with every row. A row is `cli.py fit` in a process of its own, one after another on the same
card, with HOME in a temporary folder. "First step" is the time from its start to the first row of history.csv. "Images/s" are
those from five seconds after all is compiled (after the last time that the history did not grow for three seconds), with grids,
states and plots; "device busy" is what nvidia-smi says of that time. "Memory" is the most that TensorFlow held on the GPU, or
that the process held without one. Where the whole command would take too long, training is stopped and the rest extrapolated:
at that rate to the last step, and then what it took to save and leave. The second start finds what the first has compiled.

Beneath it: how far the first losses of `default` are from those on the same machine's CPU, what each training has chosen for
itself, and the very first start, which is no row: all others find TensorFlow's libraries in memory.

The most important comes first; what does not fit into the minutes is left out. The earlier build is from this repository's
.git, or from --base where there is none.
"""

import compileall
import csv
import json
import os
import re
import signal
import site
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import namedtuple
from contextlib import suppress
from importlib.metadata import version
from itertools import count, islice, pairwise
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
COMMIT, BEST = "b941780", ("--jit", "--steps-per-execution", "10")  # the earlier build and its best options
BUILDS = EARLIER, EARLIER_BEST, THIS = COMMIT, " ".join([COMMIT, *BEST]), "this build"
AGAIN = f"{THIS}, second start"
ROWS = [*(("default", name) for name in (*BUILDS, AGAIN)), *(("large", name) for name in BUILDS)]
PAUSE, GRACE = 3, 20  # seconds in which the history does not grow: something is compiled; seconds to save and leave
SHARE = 0.4  # of all the time that one row may take
LOSSES = 50  # steps that are compared

# Beside what `python cli.py` does, this tells of the memory.
RUN = """
import json, resource, runpy, sys
report = sys.argv.pop(1)
sys.argv[0] = "cli.py"
try:
    runpy.run_path("cli.py", run_name="__main__")
finally:
    if tf := sys.modules.get("tensorflow"):
        gpu = bool(tf.config.list_logical_devices("GPU"))
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        memory = tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpu else own
        with open(report, "w") as file:
            json.dump({"gpu": gpu, "memory": memory}, file)
"""


# The step to reach, seconds until a training is steady and to watch it then, and what `--set` sets.
Plan = namedtuple("Plan", ("steps", "settle", "seconds", "settings"))
FULL = Plan(20_000, 5, 12, ())
DRY = Plan(2_000, 1, 3, ("image_size=32", "batch_size=8", "generator_widths=8,8,8", "discriminator_widths=8,8,8"))


class Training:
    """A run of `fit` from outside: (seconds, step) when its history had grown, when it was told to stop, if so, and ended."""

    def __init__(self, plan, run):
        self.plan, self.run, self.began = plan, run, time.monotonic()
        self.seen, self.told, self.ended, self.failed, self.log, self.report = [], None, None, False, "", {}

    def steady(self):
        """What was seen from when it was steady, at least two; else None."""
        times = [now for now, _ in self.seen]
        compiled = max([*times[:1], *(after for before, after in pairwise(times) if after - before > PAUSE)], default=0)
        steady = [(now, step) for now, step in self.seen if now >= compiled + self.plan.settle]
        return steady if len(steady) > 1 else None

    def step_seconds(self):
        """Of a step when steady; None if it was not seen so."""
        steady = self.steady()
        return steady and (steady[-1][0] - steady[0][0]) / (steady[-1][1] - steady[0][1])

    def whole(self):
        """Seconds of the whole command, and whether they are extrapolated; None if that cannot be told."""
        if self.ended is None or self.failed or (self.told and not self.steady()):
            return None
        left = (self.plan.steps - self.seen[-1][1]) * self.step_seconds() if self.told else 0
        return self.ended + left, left > 0


class Bench:
    """Trains as long as there is time, and keeps the table; its arguments are the command's, and the builds' folders."""

    def __init__(self, builds, data, plan, minutes, output, scratch):
        self.builds, self.data, self.plan, self.output, self.scratch = builds, data, plan, output, scratch
        self.began, self.budget, self.numbers = time.monotonic(), 60 * minutes, count()
        self.rows, self.notes, self.starts = {row: ["not measured"] for row in ROWS}, [], {}
        self.load, self.card = [], ask_card("name,driver_version")
        if self.card:
            threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            if (answer := ask_card("utilization.gpu")).isdigit():
                self.load.append((time.monotonic(), int(answer)))
            time.sleep(0.5)

    def left(self):
        """Seconds that are left for training."""
        return self.began + self.budget - GRACE / 2 - time.monotonic()

    def train(self, build, recipe, options=(), stop=lambda training, limit: False, steps=None, **environment):
        """Run `fit`, and tell it to stop when its time is up or `stop` says so, which is asked once there was a step."""
        training, home = Training(self.plan, self.scratch / f"run-{next(self.numbers)}"), self.scratch / "home"
        report, log = training.run.with_suffix(".json"), training.run.with_suffix(".log")
        named = {"--data": self.data, "--recipe": recipe, "--steps": steps or self.plan.steps, "--run": training.run}
        pairs = [*named.items(), *(("--set", setting) for setting in self.plan.settings)]
        command = [sys.executable, "-c", RUN, report, "fit", *(part for pair in pairs for part in pair), *options]
        path = os.pathsep.join(filter(None, [str(self.builds[build]), os.environ.get("PYTHONPATH")]))
        environment |= {"HOME": home, "KERAS_HOME": home / build, "CUDA_CACHE_PATH": home / "cuda", "PYTHONPATH": path}
        environment |= {"PYTHONUSERBASE": site.getuserbase()}  # what is installed for this user only is found there
        environment = os.environ | {name: str(value) for name, value in environment.items()}
        limit = min(SHARE * self.budget, self.left())
        with open(log, "wb") as file:
            process = subprocess.Popen([*map(str, command)], cwd=self.builds[build], env=environment, stdout=file, stderr=file)
        try:
            while process.poll() is None:
                time.sleep(0.05)
                now, step = time.monotonic() - training.began, last_step(training.run)
                if step > (training.seen[-1][1] if training.seen else 0):
                    training.seen.append((now, step))
                if training.told is None and (now > limit or (training.seen and stop(training, limit))):
                    training.told = now
                    process.terminate()  # as Ctrl-C does, which a program in the background may have to ignore
                elif training.told is not None and now > training.told + GRACE:
                    break
            else:
                training.ended = time.monotonic() - training.began
        finally:
            process.kill()
            process.wait()
        training.failed, training.log = training.told is None and process.returncode != 0, log.read_text(errors="replace")
        with suppress(OSError, ValueError):
            training.report = json.loads(report.read_text())
        return training

    def measure(self, recipe, name, stop, title=None):
        """Fill a row of the table, if there is time; the training."""
        row, training = (recipe, title or name), None
        if self.left() < self.starts.get(name, 0) + self.plan.settle + self.plan.seconds / 3:
            self.rows[row] = ["left out: no time"]
        else:
            training = self.train("this" if name == THIS else "earlier", recipe, BEST if name == EARLIER_BEST else (), stop)
            if training.seen:
                self.starts.setdefault(name, training.seen[0][0])
            if engine := re.search("^ *engine  (.*)", training.log, re.MULTILINE):
                self.note(f"{', '.join(row)}: {engine[1]}")
            self.rows[row] = self.cells(training)
        self._save(" | ".join([*row, *self.rows[row]]))
        return training

    def cells(self, training):
        """Of a training's row."""
        if training.failed:
            print(training.log, file=sys.stderr)
            return [f"failed: {' '.join(training.log.splitlines()[-1:])}"]
        if not training.seen:
            return [f"not within {training.told or training.ended:.0f}"]
        steady, whole = training.steady(), training.whole()
        batch_size = json.loads((training.run / "config.json").read_text())["recipe"]["batch_size"]
        busy = [load for now, load in self.load if steady and steady[0][0] <= now - training.began <= steady[-1][0]]
        return [
            f"{training.seen[0][0]:.1f}",
            f"{batch_size / training.step_seconds():,.0f}" if steady else "-",
            f"{sum(busy) / len(busy):.0f} %" if busy else "-",
            f"{training.report['memory'] / 1e6:,.0f}" if training.report else "-",
            f"{whole[0]:,.0f}{', extrapolated' if whole[1] else ''}" if whole else "-",
        ]

    def note(self, text):
        """Put a line beneath the table."""
        self.notes.append(text)
        self._save(text)

    def _save(self, news):
        print(news, file=sys.stderr, flush=True)
        self.output.write_text(str(self))

    def __str__(self):
        whole = f"fit --steps {self.plan.steps:,}, s"
        columns = ["recipe", "build", "first step, s", "images/s", "device busy", "memory, MB", whole]
        lines = [columns, ["---", "---"] + ["--:"] * 5, *([*row, *cells] for row, cells in self.rows.items())]
        table = ["| " + " | ".join(line + [""] * (len(columns) - len(line))) + " |" for line in lines]
        return "\n".join([*table, "", *(f"- {note}" for note in self.notes)]) + "\n"


def ask_card(what):
    """What nvidia-smi answers of the first GPU; empty if there is none."""
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.partition("\n")[0]
    return ""


def last_step(run):
    """The step of the last whole row of a run's history; 0 if there is none yet."""
    step = b""
    with suppress(OSError), open(run / "history.csv", "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
        step = file.read().rpartition(b"\n")[0].rpartition(b"\n")[2].partition(b",")[0]
    return int(step) if step.isdigit() else 0


def compare_losses(*trainings):
    """How far the first losses of two trainings are from each other at most, in words."""
    tables, parts = [], []
    for training in trainings:
        if not training or not training.seen:
            return "not measured"
        with open(training.run / "history.csv", newline="") as file:
            tables.append([*islice(csv.DictReader(file), LOSSES)])
    for name in ("d_loss", "g_loss"):
        apart = [abs(float(one[name]) - float(other[name])) for one, other in zip(*tables, strict=False)]
        parts.append(f"{name} {max(apart[:5]):.1e} in the first 5 steps, {max(apart):.1e} in {len(apart)}")
    return "; ".join(parts)


def unpack(folder):
    """The earlier build, from this repository."""
    command = ["git", "-C", str(ROOT), "archive", "--output", str(folder / "build.tar"), COMMIT, "cli.py", "ganime"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        raise click.UsageError(f"{COMMIT} cannot be had from .git ({reason}); give a checkout of it with --base") from error
    with tarfile.open(folder / "build.tar") as tar:
        tar.extractall(folder / "earlier", filter="data")
    return folder / "earlier"


def measure_all(bench):
    """The most important first."""

    def enough(training, limit):
        return (steady := training.steady()) and steady[-1][0] - steady[0][0] >= bench.plan.seconds

    def unless_it_fits(training, limit):
        now, step = training.seen[-1]
        return enough(training, limit) and now + (bench.plan.steps - step) * training.step_seconds() > limit - GRACE / 2

    first = bench.train("this", "default", steps=1)
    if not first.seen:
        sys.exit(f"not one step of this build is made:\n{first.log}")
    if bench.card and not first.report.get("gpu"):
        sys.exit(f"TensorFlow does not see the GPU that nvidia-smi shows: {bench.card}")
    bench.note(f"{bench.card or 'no GPU'}; {os.cpu_count()} CPU cores; TensorFlow {version('tensorflow')}")
    bench.note(f"the very first start: {first.seen[0][0]:.1f} s to the first step")
    default = bench.measure("default", THIS, unless_it_fits)
    bench.measure("default", EARLIER, enough)
    bench.measure("default", EARLIER_BEST, enough)
    bench.measure("default", THIS, lambda training, limit: True, AGAIN)
    fits = bench.left() > first.seen[0][0]
    other = bench.train("this", "default", steps=LOSSES, CUDA_VISIBLE_DEVICES="-1") if fits else None
    bench.note(f"losses of `default` here and on the CPU, farthest apart: {compare_losses(default, other)}")
    for name in (THIS, EARLIER, EARLIER_BEST):
        bench.measure("large", name, enough)
    bench.note(f"all in {(time.monotonic() - bench.began) / 60:.1f} minutes")


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="A folder of pictures.")
@click.option("--minutes", default=8.0, show_default=True, help="For everything.")
@click.option("--output", default="gpu.md", show_default=True, type=click.Path(path_type=Path), help="The table's file.")
@click.option("--base", type=click.Path(exists=True, path_type=Path), help=f"A checkout of {COMMIT}.  [default: from .git]")
@click.option("--dry-run", is_flag=True, help="Tiny networks and few steps.")
def main(data, minutes, output, base, dry_run):
    """Measure, and print the table."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # no training outlives this program
    with tempfile.TemporaryDirectory() as folder:
        scratch, data = Path(folder).resolve(), data.resolve()
        builds = {"this": ROOT, "earlier": base.resolve() if base else unpack(scratch)}
        compileall.compile_dir(builds["earlier"] / "ganime", quiet=2)  # as the very first start compiles the other
        bench = Bench(builds, data, DRY if dry_run else FULL, minutes, output, scratch)
        bench.note(f"{data.name}, {minutes:g} minutes{', a dry run with tiny networks' if dry_run else ''}")
        measure_all(bench)
    print(bench)


if __name__ == "__main__":
    main()
