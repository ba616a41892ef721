"""Scripts that measure, each from the project's root: `python -m benchmarks.NAME`."""

import os
import subprocess
import sys
import time
from pathlib import Path


def run_code(python, code, *arguments) -> str:
    """The last line that a program prints, run from the project's root; ends this one, with its errors, if it fails."""
    command = [python, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if result.returncode:
        sys.exit(result.stderr)
    return result.stdout.splitlines()[-1]


def machine_rate(multiply) -> float:
    """Operations per second in products of 2048x2048 matrices, which `multiply` makes one of; the fastest of several."""
    seconds = []
    for _ in range(10):
        since = time.perf_counter()
        multiply()
        seconds.append(time.perf_counter() - since)
    return 2 * 2048**3 / min(seconds)


def link_pictures(data, folder, count) -> None:
    """Make so many hard links to the pictures of a folder, again and again, ten thousand in each folder."""
    files = sorted(path for path in Path(data).iterdir() if path.is_file())
    for i in range(count):
        place = Path(folder, f"{i // 10_000:03}")
        if i % 10_000 == 0:
            place.mkdir()
        os.link(files[i % len(files)], place / f"{i:07}.jpg")
