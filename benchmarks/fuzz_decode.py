"""Decode damaged pictures of every format, in processes of their own, so that crashes and hangs are seen.

HEIC and JPEG XL take part if `pillow-heif` and `pyjpegxl` are installed, and color profiles as if they were a format. With
`--save` what did harm is written down. From the project's root:

    python -m benchmarks.fuzz_decode --minutes 10 --seed 0
"""

import multiprocessing
import os
import random
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import click

from tests.data.damage import CHANGES, damaged, examine, samples, with_valid_checksums
from tests.data.hostile import encoded, face
from tests.data.test_color import GREY, INKS, RED_AND_GREEN_SWAPPED

LIMIT = 10  # seconds for a picture
MEMORY = 4 * 2**30  # bytes of addresses for a worker


def work(pipe):
    """Examine what comes through the pipe until it closes, and answer with outcome, seconds and peak memory in bytes."""
    warnings.simplefilter("ignore")  # Pillow's, about damage
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff's
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    pipe.send("ready")
    while True:
        try:
            data = pipe.recv_bytes()
        except EOFError:
            return
        start = time.perf_counter()
        try:
            reason = examine(data)
            outcome = "MemoryError" if reason.endswith("MemoryError") else "passed over" if reason else "decoded"
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
        pipe.send((outcome, time.perf_counter() - start, _peak_memory()))


def _peak_memory():
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Worker:
    """A process that decodes the pictures of one format; started again when it dies."""

    def __init__(self):
        self.counts, self.slowest, self.memory = Counter(), 0.0, 0
        self._start()

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=work, args=(other,), daemon=True)
        self._process.start()
        other.close()
        self._pipe.recv()

    def examine(self, data):
        """Outcome for the content of a file."""
        self.counts["inputs"] += 1
        self._pipe.send_bytes(data)
        try:
            if self._pipe.poll(LIMIT):
                outcome, seconds, memory = self._pipe.recv()
                self.slowest, self.memory = max(self.slowest, seconds), max(self.memory, memory)
            else:
                outcome = "hang"
        except EOFError:
            outcome = "crash"
        if outcome in ("hang", "crash"):
            self._process.join(1)  # to learn how it ended
            self._process.kill()
            self._process.join()
            outcome += f" (exit code {self._process.exitcode})" * (outcome == "crash")
            self._start()
        self.counts[outcome if outcome in ("decoded", "passed over") else outcome.split()[0].rstrip(":")] += 1
        return outcome


def make_input(rng, files, kind):
    """A file of that format after one to six changes, most of them near its beginning."""
    data = rng.choice(files[kind])
    other = rng.choice(files[rng.choice(list(files))])
    changes = []
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        place = rng.randrange(100) if rng.random() < 0.7 else rng.randrange(len(data))
        changes.append((rng.choice(CHANGES), place, rng.choice((1, 2, 4, 64)), rng.randrange(2**16)))
    data = damaged(data, changes, other)
    if kind == "ICC":
        mode = {b"GRAY": "L", b"CMYK": "CMYK"}.get(data[16:20], "RGB")
        return encoded(face(mode), "TIFF", icc_profile=data)
    return with_valid_checksums(data) if kind == "PNG" and rng.random() < 0.7 else data


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--save", type=click.Path(path_type=Path), help="Folder for the files that did harm.  [default: none]")
def main(minutes, seed, save):
    """Print what became of the files; exit with 1 if any did harm."""
    if save:
        save.mkdir(parents=True, exist_ok=True)
    rng, files = random.Random(seed), {**samples(), "ICC": [RED_AND_GREEN_SWAPPED, GREY, INKS]}
    workers = {kind: Worker() for kind in files}
    end, bad = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        for kind, worker in workers.items():
            data = make_input(rng, files, kind)
            outcome = worker.examine(data)
            if outcome not in ("decoded", "passed over"):
                bad += 1
                if save:
                    (save / f"{bad:04}.{kind.lower()}").write_bytes(data)
                click.echo(f"{bad:04}, {kind}: {outcome}")
    columns = ("inputs", "decoded", "passed over", "crash", "hang", "other")
    click.echo("format   " + "".join(f"{name:>13}" for name in (*columns, "slowest, ms", "memory, MB")))
    for kind, worker in workers.items():
        counts = worker.counts
        counts["other"] = counts["inputs"] - sum(counts[name] for name in columns[1:-1])
        figures = [*(counts[name] for name in columns), round(1000 * worker.slowest), round(worker.memory / 1e6)]
        click.echo(f"{kind:<9}" + "".join(f"{figure:>13,}" for figure in figures))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
