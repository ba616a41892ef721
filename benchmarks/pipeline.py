"""Images per second of the pipeline, from a folder and from a packed file, against PyTorch's ImageFolder and DataLoader.

    python -m benchmarks.pipeline --data faces --torch-python /path/to/python

PyTorch (torch, torchvision) runs in a Python of its own, with the transforms that the published projects use, 2 workers and
batches of 128. The contenders take turns; the table gives the median of the rounds and each one's ratio to PyTorch's.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import click

from benchmarks import run_code

BATCH = 128
PYTORCH = """
import sys, time, torch
from torchvision import transforms
from torchvision.datasets import ImageFolder
steps = [transforms.Resize(64), transforms.CenterCrop(64), transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
pictures = ImageFolder(sys.argv[1], transforms.Compose(steps))
loader = torch.utils.data.DataLoader(pictures, int(sys.argv[2]), shuffle=True, num_workers=2)
batches = iter(loader)
next(batches)
start, count = time.perf_counter(), 0
for images, _ in batches:
    count += len(images)
print(count / (time.perf_counter() - start))
"""
OURS = """
import sys, time
import ganime
from ganime.data.sources import open_pictures
pictures = open_pictures(sys.argv[1])
batches = iter(ganime.make_dataset(pictures, 64, int(sys.argv[2]), flips=sys.argv[3] == "flips"))
next(batches)
start, count, rounds = time.perf_counter(), 0, int(sys.argv[4])
while count < rounds * len(pictures):
    count += len(next(batches))
print(count / (time.perf_counter() - start))
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
print(count * 32 / (time.perf_counter() - start))
"""


@click.command()
@click.option(
    "--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder of pictures."
)
@click.option("--torch-python", required=True, metavar="PYTHON", help="A Python that has torch and torchvision.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def main(data, torch_python, rounds):
    """Compare, and print a table."""
    from ganime.data.folder import PictureFolder
    from ganime.data.packed import pack

    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "classes").mkdir()
        (Path(scratch) / "classes" / "faces").symlink_to(data.resolve())
        packed = Path(scratch) / "packed.npy"
        start = time.perf_counter()
        count = len(pack(PictureFolder(data), packed, 64))
        seconds = time.perf_counter() - start
        contenders = {
            "PyTorch, 2 workers": (torch_python, PYTORCH, Path(scratch) / "classes", BATCH),
            "folder": (sys.executable, OURS, data.resolve(), BATCH, "no", 1),
            "folder, mirrored": (sys.executable, OURS, data.resolve(), BATCH, "flips", 1),
            "packed": (sys.executable, OURS, packed, BATCH, "no", 10),
            "packed, mirrored": (sys.executable, OURS, packed, BATCH, "flips", 10),
            "what a training step takes": (sys.executable, STEP),
        }
        rates = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, command in contenders.items():
                rates[name].append(float(run_code(*command)))
                print(f"{name}: {rates[name][-1]:,.0f}", file=sys.stderr, flush=True)
    print(f"{count:,} pictures in {data.name}, batches of {BATCH}, {rounds} rounds; packed in {seconds:.1f} s")
    print(f"{'':28}{'images/s':>10}{'to PyTorch':>12}{'least':>8}{'most':>8}")
    for name, values in rates.items():
        ratios = [value / base for value, base in zip(values, rates["PyTorch, 2 workers"], strict=True)]
        middle = statistics.median(ratios)
        print(f"{name:28}{statistics.median(values):10,.0f}{middle:11.2f}x{min(ratios):7.2f}x{max(ratios):7.2f}x")


if __name__ == "__main__":
    main()
