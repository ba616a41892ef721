"""What `data prepare` keeps and drops, on pictures of which that is known.

    python -m benchmarks.prepare --faces faces64 --portraits portraits256 --cascade lbpcascade_animeface.xml

The faces, which must be different ones, get copies planted among them: exact, re-encoded and resized. The portraits are pasted
into large pages of several backgrounds, four on each, and must be found again.
"""

import csv
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import numpy as np
from PIL import Image

from ganime.data.decode import load_picture
from ganime.data.detect import FaceDetector
from ganime.data.folder import FolderListing
from ganime.data.prepare import prepare

PLANTED = 500  # of each kind
RESAMPLING = (Image.Resampling.LANCZOS, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


def plant(faces, folder, random):
    """Copy the faces into a folder, and copies of some among them; `kind_name` is a copy of `name`, endings aside."""
    files = sorted(faces.iterdir())
    for file in files:
        shutil.copy(file, folder)
    chosen = [files[i] for i in random.permutation(len(files))[: 3 * PLANTED]]
    for i, file in enumerate(chosen):
        if i < PLANTED:
            shutil.copy(file, folder / f"exact_{file.name}")
        elif i < 2 * PLANTED:
            Image.open(file).convert("RGB").save(folder / f"reencoded_{file.stem}.jpg", quality=int(random.integers(40, 96)))
        else:
            side = int(random.integers(65, 160))
            resized = Image.open(file).convert("RGB").resize((side, side), RESAMPLING[i % 3])
            resized.save(folder / f"resized_{file.stem}.{('png', 'jpg')[i % 2]}", **({"quality": 90} if i % 2 else {}))


def background(kind, width, height, random):
    """A page without faces: plain, a noisy gradient, blurred colors, or a chessboard."""
    if kind == 0:
        return np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
    if kind == 1:
        gradient = np.linspace(0, 1, width)[None, :, None] * random.integers(60, 256, 3)
        return (gradient + random.integers(0, 30, (height, width, 1))).clip(0, 255).astype(np.uint8)
    if kind == 2:
        colors = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8))
        return np.array(colors.resize((width, height), Image.Resampling.BICUBIC))
    rows, columns = np.mgrid[:height, :width]
    return np.repeat(((rows // 37 + columns // 37) % 2 * 90 + 100)[..., None], 3, axis=2).astype(np.uint8)


def paste(portraits, folder, random):
    """Paste each portrait into a page, at 0.6 times its size or more; where: page, left, top, side."""
    files, places = [portraits[i] for i in random.permutation(len(portraits))], []
    for number in range(len(files) // 4):
        width, height = int(random.integers(1500, 2400)), int(random.integers(1200, 1800))
        page = background(number % 4, width, height, random)
        cell_width, cell_height = width // 3, height // 2
        name = f"page{number:02}.{('png', 'jpg', 'webp', 'tif')[number % 4]}"
        for slot, file in zip(random.permutation(6), files[4 * number : 4 * number + 4], strict=False):
            side = int(random.uniform(154, min(cell_width, cell_height)))
            left = int(slot % 3 * cell_width + random.integers(0, cell_width - side + 1))
            top = int(slot // 3 * cell_height + random.integers(0, cell_height - side + 1))
            page[top : top + side, left : left + side] = load_picture(file, side)
            places.append((name, left, top, side))
        Image.fromarray(page).save(folder / name)
    return places


def run(source, target, detector):
    """Prepare, and return the lines of the index and the seconds it took."""
    start = time.perf_counter()
    prepare(FolderListing(source), target, detector)
    seconds = time.perf_counter() - start
    with open(target / "index.csv", newline="") as file:
        return list(csv.DictReader(file)), seconds


def shows(row, place):
    """Whether a crop has its middle in a pasted portrait and 0.45 to 1.25 times its side."""
    name, left, top, side = place
    x, y, crop = (int(row[column]) for column in ("x", "y", "side"))
    inside = left < x + crop / 2 < left + side and top < y + crop / 2 < top + side
    return row["source"] == name and inside and 0.45 < crop / side < 1.25


@click.command()
@click.option("--faces", required=True, type=click.Path(exists=True, path_type=Path), help="Folder of different faces.")
@click.option("--portraits", required=True, type=click.Path(exists=True, path_type=Path), help="Folder of heads, one in each.")
@click.option("--cascade", type=click.Path(exists=True, path_type=Path), help="By default it is fetched.")
@click.option("--sets", default=2, show_default=True, type=click.IntRange(1), help="Sets of pages.")
def main(faces, portraits, cascade, sets):
    """Print what became of the copies, of the other faces, and of the portraits in the pages."""
    detector = FaceDetector(cascade)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "planted"
        source.mkdir()
        plant(faces, source, np.random.default_rng(0))
        rows, seconds = run(source, Path(scratch) / "without copies", None)
        pairs = {}
        for row in rows:
            name = re.sub("^(exact|reencoded|resized)_", "", Path(row["source"]).stem)
            pairs.setdefault(name, []).append(row["dropped"] or "kept")
        with_copy = Counter(" and ".join(sorted(fates)) for fates in pairs.values() if len(fates) > 1)
        without = Counter(fates[0] for fates in pairs.values() if len(fates) == 1)
        print(
            f"{len(rows):,} faces in {seconds:.0f} s. A face and its copy: {dict(with_copy)}; others: {dict(without)}",
            flush=True,
        )
        for seed in range(sets):
            source = Path(scratch) / f"pages {seed}"
            source.mkdir()
            places = paste(sorted(portraits.iterdir()), source, np.random.default_rng(seed))
            rows, seconds = run(source, Path(scratch) / f"faces {seed}", detector)
            crops = [row for row in rows if row["file"]]
            found = sum(any(shows(row, place) for row in crops) for place in places)
            other = sum(not any(shows(row, place) for place in places) for row in crops)
            pages = len({row["source"] for row in rows})
            print(f"{found} of {len(places)} portraits found, {other} other crops, {seconds / pages:.1f} s a page", flush=True)


if __name__ == "__main__":
    main()
