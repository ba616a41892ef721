"""Images per second of `generate`, from seeds to uint8, against PyTorch's forward pass of the same network, from 1 image on.

    python -m benchmarks.sampling --torch-python /path/to/python

The network is the generator of the recipe zero-to-gans, with its first weights. PyTorch runs in a Python of its own and is
given its latents; for every number of images it takes the memory format and the batch, 256 at most, that are quickest in a
trial. Both processes are warm and take turns of a second or so. The table gives medians over the rounds, and of the ratios of
each round's two turns the median, the least and the most.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import click

TURNS = """
import sys, time
def trial(make, count):
    make(count)
    moments = [time.perf_counter()]
    while len(moments) < 4 or moments[-1] - moments[0] < 0.3:
        make(count)
        moments.append(time.perf_counter())
    return min(after - before for before, after in zip(moments, moments[1:]))
def serve(makers):
    quickest = {}
    for line in sys.stdin:
        count, seconds = int(line.split()[0]), float(line.split()[1])
        size = min(count, 256)
        if size not in quickest:
            quickest[size] = min(makers, key=lambda make: trial(make, size))
        done, start = 0, time.perf_counter()
        while not done or time.perf_counter() - start < seconds:
            quickest[size](count)
            done += count
        print(done / (time.perf_counter() - start), flush=True)
"""
PYTORCH = """
import torch
from benchmarks import published_pytorch as published
latents = torch.randn(256, published.LATENT, 1, 1, device=published.DEVICE)
def maker(generator, batch):
    @torch.inference_mode()
    def make(count):
        for start in range(0, count, batch):
            images = generator(latents[: min(batch, count - start)])
            images.add_(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).cpu()
    return make
generators = [published.build(layout)[0].eval() for layout in (torch.contiguous_format, torch.channels_last)]
serve([maker(generator, batch) for generator in generators for batch in (8, 16, 32, 64, 128, 256)])
"""
OURS = """
import ganime
from ganime.generation.sampling import sample
recipe = ganime.get_recipe("zero-to-gans")
generator = ganime.build_gan(recipe).generator
serve([lambda count: sample(generator, range(count))])
"""


class Contender:
    """A process that makes images whenever it is asked to."""

    def __init__(self, python, code):
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": Path(__file__).parents[1]}
        self.process = subprocess.Popen([python, "-c", TURNS + code], stderr=subprocess.DEVNULL, **options)

    def rate(self, count, seconds):
        """Images per second, of `count` at a time for so many seconds or once."""
        print(count, seconds, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline() or sys.exit("a contender has failed")
        time.sleep(0.1)  # until its threads have stopped waiting for more
        return float(answer)

    def close(self):
        """End the process."""
        self.process.communicate()


@click.command()
@click.option("--torch-python", required=True, metavar="PYTHON", help="A Python that has torch.")
@click.option("--counts", default="1,4,16,64,256,1024,4096", show_default=True)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=1.0, show_default=True, help="Length of a turn, at least.")
def main(torch_python, counts, rounds, seconds):
    """Compare, and print a table."""
    counts = [int(count) for count in counts.split(",")]
    contenders = [Contender(torch_python, PYTORCH), Contender(sys.executable, OURS)]
    rates = {count: [] for count in counts}
    for count in counts:  # the trials
        for contender in contenders:
            contender.rate(min(count, 256), 0)
    for i in range(rounds):
        order = 1 if i % 2 else -1
        for count in counts:
            theirs, ours = [contender.rate(count, seconds) for contender in contenders[::order]][::order]
            rates[count].append((theirs, ours))
            print(f"{count} images: PyTorch {theirs:.1f}, ganime {ours:.1f}", file=sys.stderr)
    for contender in contenders:
        contender.close()
    print(f"images per second, {rounds} rounds\n")
    print("| images | PyTorch | ganime | ratio | least | most |\n|--:|--:|--:|--:|--:|--:|")
    for count, pairs in rates.items():
        theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratios = [our / their for their, our in pairs]
        shown = " | ".join(f"{ratio:.2f}" for ratio in (statistics.median(ratios), min(ratios), max(ratios)))
        print(f"| {count:,} | {theirs:.0f} | {ours:.0f} | {shown} |")


if __name__ == "__main__":
    main()
