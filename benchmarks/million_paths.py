"""Time to the first batch and memory with a million pictures (hard links), against the folder that they come from.

python -m benchmarks.million_paths --data faces
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

FIRST_BATCH = """
import resource, sys, time
start = time.perf_counter()
import ganime, psutil
pictures = ganime.PictureFolder(sys.argv[1])
found = time.perf_counter()
batches = iter(ganime.make_dataset(pictures, 64, 128))
next(batches)
first = time.perf_counter()
memory, peak = psutil.Process().memory_info().rss / 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(len(pictures), found - start, first - start, memory, peak)
"""


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="A folder of pictures.")
@click.option("--count", default=1_000_000, show_default=True, help="How many links to make.")
@click.option("--scratch", type=click.Path(path_type=Path), help="Where: a folder on the file system of --data.")
def main(data, count, scratch):
    """Print both, and the difference."""
    files = sorted(path for path in data.iterdir() if path.is_file())
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for i in range(count):
            place = Path(folder, f"{i // 10_000:03}")
            if i % 10_000 == 0:
                place.mkdir()
            os.link(files[i % len(files)], place / f"{i:07}.jpg")
        rows = [_measure(path) for path in (data, folder)]
    for count, found, first, memory, peak in rows:
        print(f"{count:9,.0f} pictures: found after {found:.1f} s, first batch after {first:.1f} s; ", end="")
        print(f"{memory:.0f} MB resident, {peak:.0f} at the peak")
    print(f"{'more':>18}: {rows[1][3] - rows[0][3]:.0f} MB resident, {rows[1][4] - rows[0][4]:.0f} at the peak")


def _measure(folder):
    command = [sys.executable, "-c", FIRST_BATCH, str(Path(folder).resolve())]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if result.returncode:
        sys.exit(result.stderr)
    return [float(word) for word in result.stdout.split()]


if __name__ == "__main__":
    main()
