"""Time to the first batch and memory with a million pictures (hard links), against the folder that they come from.

python -m benchmarks.million_paths --data faces
"""

import sys
import tempfile
from pathlib import Path

import click

from benchmarks import link_pictures, run_code

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
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        link_pictures(data, folder, count)
        rows = [_measure(path) for path in (data, folder)]
    for count, found, first, memory, peak in rows:
        print(f"{count:9,.0f} pictures: found after {found:.1f} s, first batch after {first:.1f} s; ", end="")
        print(f"{memory:.0f} MB resident, {peak:.0f} at the peak")
    print(f"{'more':>18}: {rows[1][3] - rows[0][3]:.0f} MB resident, {rows[1][4] - rows[0][4]:.0f} at the peak")


def _measure(folder):
    return [float(word) for word in run_code(sys.executable, FIRST_BATCH, Path(folder).resolve()).split()]


if __name__ == "__main__":
    main()
