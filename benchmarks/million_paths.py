"""Time to the first batch and memory with a million pictures, against the folder that they come from: as loose files (hard
links), in a stored zip and in a tar, whose list of members is read from the user's cache the second time.

    python -m benchmarks.million_paths --data faces
"""

import os
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import click

from benchmarks import link_pictures, run_code

FIRST_BATCH = """
import sys, time
def most_memory():  # of Linux; resource's figure is the parent's too
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1e3
start = time.perf_counter()
import ganime, psutil
pictures = ganime.open_pictures(sys.argv[1])
found = time.perf_counter()
batches = iter(ganime.make_dataset(pictures, 64, 128))
next(batches)
first = time.perf_counter()
memory, peak = psutil.Process().memory_info().rss / 1e6, most_memory()
print(len(pictures), found - start, first - start, memory, peak)
"""


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="A folder of pictures.")
@click.option("--count", default=1_000_000, show_default=True, help="How many there shall be.")
@click.option("--scratch", type=click.Path(path_type=Path), help="Where: a folder on the file system of --data.")
def main(data, count, scratch):
    """Print all, and what they take more than the folder."""
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        place = Path(place)
        os.environ["KERAS_HOME"] = str(place)
        (place / "links").mkdir()
        link_pictures(data, place / "links", count)
        files = sorted(path for path in (place / "links").rglob("*") if path.is_file())
        with zipfile.ZipFile(place / "faces.zip", "w") as archive:
            for path in files:
                archive.write(path, path.relative_to(place / "links"))
        with tarfile.open(place / "faces.tar", "w", dereference=True) as archive:
            for path in files:
                archive.add(path, path.relative_to(place / "links"))
                archive.members.clear()
        sources = {
            "the folder itself": data,
            "loose files": place / "links",
            "stored zip": place / "faces.zip",
            "tar": place / "faces.tar",
            "tar again": place / "faces.tar",
        }
        base = None
        for name, source in sources.items():
            row = [float(word) for word in run_code(sys.executable, FIRST_BATCH, source.resolve()).split()]
            base = base or row
            print(f"{name:18} {row[0]:9,.0f} pictures: found after {row[1]:.1f} s, first batch after {row[2]:.1f} s; ", end="")
            print(f"{row[3]:.0f} MB resident (+{row[3] - base[3]:.0f}), {row[4]:.0f} at the peak (+{row[4] - base[4]:.0f})")


if __name__ == "__main__":
    main()
