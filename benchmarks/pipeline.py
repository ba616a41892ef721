"""Images per second of the pipeline, from every kind of source, against PyTorch's, StyleGAN's and WebDataset's readers.

    python -m benchmarks.pipeline --data faces --torch-python /path/to/python --stylegan /path/to/stylegan3

`--torch-python` is a Python of its own with torch, torchvision, webdataset, click and requests; `--stylegan` is a clone of
github.com/NVlabs/stylegan3, whose ImageFolderDataset reads the stored zip. Each of these has 2 workers and batches of 128; for
PyTorch and WebDataset with the transforms that the published projects use. Without these options they are left out. The
contenders take turns; the table gives the median of the rounds, each one's ratio to ours from the folder, and the most memory
of its processes (of Linux). "Again" is from the second time through the pictures on, when `fit` keeps them in memory.
"""

import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import click

from benchmarks import run_code

BATCH = 128
SHARDS = 4
MEASURE = """
import os, time
def memory():
    pids, total = [os.getpid()], 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                pids += open(f"/proc/{pid}/task/{task}/children").read().split()
            total += next(int(line.split()[1]) for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError, StopIteration):  # it has just ended
            continue
    return total / 1024
def measure(batches, total):
    batches, counts, most = iter(batches), [], 0
    next(batches)
    start = time.perf_counter()
    while sum(counts) < total and (batch := next(batches, None)) is not None:
        counts.append(len(batch))
        if len(counts) in (20, 60):
            most = max(most, memory())
    print(sum(counts) / (time.perf_counter() - start), most)
"""
TORCH = """
import sys, torch
from torchvision import transforms
steps = [transforms.Resize(64), transforms.CenterCrop(64), transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
transform, options = transforms.Compose(steps), {"num_workers": 2}
"""
IMAGE_FOLDER = """
from torchvision.datasets import ImageFolder
pictures = ImageFolder(sys.argv[1], transform)
loader = torch.utils.data.DataLoader(pictures, int(sys.argv[2]), shuffle=True, **options)
measure((images for images, _ in loader), len(pictures) - int(sys.argv[2]))
"""
STYLEGAN = """
sys.path.insert(0, sys.argv[3])
from training.dataset import ImageFolderDataset
pictures = ImageFolderDataset(sys.argv[1])
pictures.close()  # else the workers share one place in the file, and read each other's bytes
loader = torch.utils.data.DataLoader(pictures, int(sys.argv[2]), shuffle=True, **options)
measure((images for images, _ in loader), len(pictures) - int(sys.argv[2]))
"""
WEBDATASET = """
import glob
import webdataset
shards = sorted(glob.glob(sys.argv[1]))
pictures = webdataset.WebDataset(shards, shardshuffle=True).shuffle(1000).decode("pil").to_tuple("jpg").map_tuple(transform)
loader = webdataset.WebLoader(pictures.batched(int(sys.argv[2])), batch_size=None, **options)
measure((images for images, in loader), int(sys.argv[3]) - 3 * int(sys.argv[2]))
"""
OURS = """
import sys
import ganime
pictures = ganime.open_pictures(sys.argv[1])
if sys.argv[5] == "again":
    from ganime.data.memory import RememberedPictures
    pictures = RememberedPictures(pictures, 64)
    pictures.load_batch(list(range(len(pictures))), 64)
flips = sys.argv[3] == "flips"
measure(ganime.make_dataset(pictures, 64, int(sys.argv[2]), flips=flips), int(sys.argv[4]) * len(pictures))
"""
STEP = """
import time
import ganime
import tensorflow as tf
gan = ganime.build_gan(ganime.get_recipe("default"))
batch = tf.constant(ganime.DrawnFaces().load_batch(range(32), 64))
step = tf.function(gan.train_step)
for count in (5, 20):
    start = time.perf_counter()
    losses = [float(step(batch)["g_loss"]) for _ in range(count)]
print(count * 32 / (time.perf_counter() - start), 0)
"""


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder of JPEGs.")
@click.option("--torch-python", metavar="PYTHON", help="A Python that has torch, torchvision and webdataset.")
@click.option("--stylegan", type=click.Path(exists=True, path_type=Path), help="A clone of stylegan3.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def main(data, torch_python, stylegan, rounds):
    """Compare, and print a table."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        count = make_sources(data.resolve(), scratch)
        torch, ours = (torch_python, MEASURE + TORCH), (sys.executable, MEASURE + OURS)

        def pipeline(place, flips="none", rounds=1, again="first"):
            return (*ours, place, BATCH, flips, rounds, again)

        folder, others = "folder", {}
        if torch_python:
            others["PyTorch: ImageFolder"] = (torch[0], torch[1] + IMAGE_FOLDER, scratch / "classes", BATCH)
            others["WebDataset: tar shards"] = (torch[0], torch[1] + WEBDATASET, scratch / "shard-*.tar", BATCH, count)
        if torch_python and stylegan:
            place = scratch / "stored.zip"
            others["StyleGAN: stored zip"] = (torch[0], torch[1] + STYLEGAN, place, BATCH, stylegan.resolve())
        contenders = {
            **others,
            folder: pipeline(data.resolve()),
            "folder, mirrored": pipeline(data.resolve(), "flips"),
            "stored zip": pipeline(scratch / "stored.zip"),
            "deflated zip": pipeline(scratch / "deflated.zip"),
            "tar shards": pipeline(scratch / "shard-*.tar"),
            "parquet": pipeline(scratch / "faces.parquet"),
            "folder, again": pipeline(data.resolve(), rounds=8, again="again"),
            "stored zip, again": pipeline(scratch / "stored.zip", rounds=8, again="again"),
            "tar shards, again": pipeline(scratch / "shard-*.tar", rounds=8, again="again"),
            "folder, mirrored, again": pipeline(data.resolve(), "flips", 8, "again"),
            "packed": pipeline(scratch / "packed.npy", rounds=4),
            "packed, mirrored": pipeline(scratch / "packed.npy", "flips", 4),
            "what a training step takes": (sys.executable, STEP),
        }
        rates, memory = ({name: [] for name in contenders} for _ in range(2))
        for _ in range(rounds):
            for name, command in contenders.items():
                rate, most = map(float, run_code(*command).split())
                rates[name].append(rate)
                memory[name].append(most)
                print(f"{name}: {rate:,.0f}", file=sys.stderr, flush=True)
    print(f"{count:,} pictures in {data.name}, batches of {BATCH}, {rounds} rounds")
    print(f"{'':28}{'images/s':>10}{'to folder':>12}{'least':>8}{'most':>8}{'memory':>10}")
    for name, values in rates.items():
        ratios = [value / base for value, base in zip(values, rates[folder], strict=True)]
        middle, most = statistics.median(ratios), max(memory[name])
        print(
            f"{name:28}{statistics.median(values):10,.0f}{middle:11.2f}x{min(ratios):7.2f}x{max(ratios):7.2f}x{most:7,.0f} MB"
        )


def make_sources(data, scratch) -> int:
    """The pictures of a folder in every other form, and how many they are."""
    import pyarrow
    import pyarrow.parquet

    files = sorted(path for path in data.rglob("*") if path.is_file())
    (scratch / "classes").mkdir()
    (scratch / "classes" / "faces").symlink_to(data)
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("deflated.zip", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(scratch / name, "w", method) as archive:
            for path in files:
                archive.write(path, path.relative_to(data))
    for shard in range(SHARDS):
        with tarfile.open(scratch / f"shard-{shard}.tar", "w") as archive:
            for path in files[shard::SHARDS]:
                archive.add(path, path.relative_to(data))
    rows = [{"bytes": path.read_bytes(), "path": path.relative_to(data).as_posix()} for path in files]
    pyarrow.parquet.write_table(pyarrow.table({"image": rows}), scratch / "faces.parquet", row_group_size=1000)
    subprocess.run([sys.executable, "cli.py", "data", "pack", data, scratch / "packed.npy"], check=True, capture_output=True)
    return len(files)


if __name__ == "__main__":
    main()
