"""Exported generators in their own runtimes, side by side with compiled Keras.

    python -m benchmarks.exports [--model FILE.keras] [--older PYTHON]

Each row is a written file: its bytes, its largest difference to Keras of 64 faces, and faces per second one at a time and 64 at
a time, as a ratio to compiled Keras in the same rounds. `--older` names the Python of an environment with an older TensorFlow,
which serves the SavedModel as well. With TF_ENABLE_ONEDNN_OPTS=0 in the environment Keras runs as it does where nobody switches
oneDNN on, on most CPUs without AVX-512.
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

import ganime

ROUNDS = 9
COUNTS = (1, 64)
OLDER = """
import sys, time, numpy, tensorflow
serve = tensorflow.saved_model.load(sys.argv[1]).signatures["serving_default"]
latents, images = (numpy.load(path) for path in sys.argv[2:])
made = serve(latents=tensorflow.constant(latents))["images"].numpy()
print(tensorflow.__version__, abs(made - images).max())
for count in (1, 64):
    part, times = tensorflow.constant(latents[:count]), []
    for _ in range(64 // count + 5):
        begin = time.perf_counter()
        serve(latents=part)["images"].numpy()
        times.append(time.perf_counter() - begin)
    print(count / sorted(times)[len(times) // 2])
"""


def runners(model, folder):
    """Name, file and function of each contender; the first is what all are compared with."""
    import onnxruntime
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    generator = ganime.load_generator(model)
    signature = [tf.TensorSpec([None, generator.input_shape[-1]])]
    yield (
        "compiled Keras",
        Path(model or ganime.generation.sampling.SHIPPED),
        tf.function(lambda latents: generator(latents, training=False), input_signature=signature),
    )
    files = (
        ("saved-model", "float32", "g"),
        *(("onnx", weights, f"{weights}.onnx") for weights in ("float32", "float16", "int8")),
        *(("litert", weights, f"{weights}.tflite") for weights in ("float32", "float16")),
    )
    for kind, weights, name in files:
        path = ganime.export(model, kind, folder / name, weights).path
        if kind == "saved-model":
            serve = tf.saved_model.load(path).signatures["serving_default"]
            yield kind, path, lambda latents, serve=serve: serve(latents=tf.constant(latents))["images"]
        elif kind == "onnx":
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            yield f"{kind} {weights}", path, lambda latents, session=session: session.run(None, {"latents": latents})[0]
        else:
            serve = Interpreter(str(path), num_threads=os.cpu_count()).get_signature_runner()
            yield f"{kind} {weights}", path, lambda latents, serve=serve: serve(latents=latents)["images"]


def rate(run, latents):
    """Faces per second, of about 64 faces."""
    begin, times = time.perf_counter(), 64 // len(latents)
    for _ in range(times):
        np.asarray(run(latents))
    return times * len(latents) / (time.perf_counter() - begin)


@click.command()
@click.option("--model", type=click.Path(exists=True, path_type=Path))
@click.option("--older", type=click.Path(exists=True, path_type=Path))
def main(model, older):
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        contenders = [*runners(model, folder)]
        latents = ganime.from_seeds(range(64), 128)
        images = np.asarray(contenders[0][2](latents))
        rates = {(name, count): [] for name, _, _ in contenders for count in COUNTS}
        for _ in range(ROUNDS):
            for name, _, run in contenders:
                for count in COUNTS:
                    run(latents[:count])  # memory for this batch
                    rates[name, count].append(rate(run, latents[:count]))
        print("| | MB | largest difference | faces/s at 1 | ratio | at 64 | ratio |\n|---|--:|--:|--:|--:|--:|--:|")
        for name, path, run in contenders:
            size = sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()) / 1e6
            cells = []
            for count in COUNTS:
                first, own = rates[contenders[0][0], count], rates[name, count]
                ratio = statistics.median(b / a for a, b in zip(first, own, strict=True))
                cells += [f"{statistics.median(own):.0f}", f"{ratio:.2f}"]
            difference = np.abs(np.asarray(run(latents)) - images).max()
            print(f"| {name} | {size:.2f} | {difference:.1g} | {' | '.join(cells)} |")
        if older:
            np.save(folder / "latents.npy", latents)
            np.save(folder / "images.npy", images)
            command = [older, "-c", OLDER, folder / "g", folder / "latents.npy", folder / "images.npy"]
            print("saved-model in TensorFlow", subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
