"""The public names as a type checker sees them, although they are imported lazily."""

import os
import re
import subprocess
import sys

from tests.conftest import ROOT

RIGHT = """
from pathlib import Path

import ganime
from ganime import callbacks

generator = ganime.load_generator()
latents = ganime.Edits.load().apply(ganime.from_seeds([0, 1], 128), {"eye-size": 1.5})
frames = [*ganime.walk(generator, latents, frames=4)]
faces = ganime.sample(generator, seeds=range(4), truncation=0.7)
gan = ganime.GAN(ganime.build_generator(image_size=32), ganime.build_discriminator(image_size=32), seed=1)
gan.compile(label_noise=0.2)
grid = callbacks.SampleGrid(Path("samples"), every=10)
watch = [ganime.Evaluation(ganime.DrawnFaces(100), best_path="best.keras"), callbacks.StopOnNonFinite()]
ganime.fit(ganime.Run("x"), ganime.get_recipe("default").override("batch_size=8"), ganime.DrawnFaces(100), steps=1)
ganime.fit("x", {"batch_size": 8}, "faces", steps=1, callbacks=watch)
try:
    ganime.load_gan("x").compile(augmentations=["color"])
except ganime.InputError as error:
    print(error)
print(ganime.export(None, "onnx", "a.onnx").difference + 1.0, ganime.__version__.upper())
"""
MISTAKES = {
    "import ganime": None,
    "ganime.build_generator(image_sise=64)": 'Unexpected keyword argument "image_sise"',
    'ganime.from_seeds("0-3", 128)': 'Argument 1 to "from_seeds" has incompatible type "str"',
    "ganime.walk(ganime.load_generator())": 'Missing positional argument "latents"',
    'ganime.callbacks.SampleGrid("samples", every="9")': 'Argument "every" to "SampleGrid" has incompatible type "str"',
    'ganime.GAN(None, None, ema_half_life="a")': 'Argument "ema_half_life" to "GAN" has incompatible type "str"',
    'ganime.load_gan("x").compile(label_noise="a")': 'Argument "label_noise" to "compile" of "GAN" has incompatible type',
    "ganime.smaple": 'Module has no attribute "smaple"',
}


def test_right_code_passes_and_each_planted_mistake_is_found(tmp_path):
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "planted.py").write_text("\n".join(MISTAKES))
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--no-site-packages",
        "--follow-imports=silent",
        "--ignore-missing-imports",
        "right.py",
        "planted.py",
    ]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    out = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout
    errors = dict(re.findall(r"(\w+\.py:\d+): error: (.*)", out))
    expected = {f"planted.py:{line}": message for line, message in enumerate(MISTAKES.values(), 1) if message}
    assert errors.keys() == expected.keys(), out
    assert all(errors[place].startswith(message) for place, message in expected.items()), out
