"""What needs a Python in which nothing is imported yet: two of them, since TensorFlow takes seconds in each."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import ganime
from tests.conftest import ROOT
from tests.training.test_keras_callbacks import fit

# The search for garbage takes a quarter of an import's time.
GANIME_FIRST = """
import gc, json, sys, weakref
gc.disable()
import ganime
found = {"imported": sorted({"keras", "tensorflow"} & {*sys.modules})}
found["faces"] = ganime.sample(ganime.load_generator(), [1]).shape
import keras
assert "ganime.training.gan" not in sys.modules
gan = keras.models.load_model("gan.keras")
found["gan"] = [type(gan).__module__, int(gan.step)]
gc.freeze()
generator = ganime.build_generator(32, 8, (4, 4, 4))
ganime.sample(generator, [0])
kept = weakref.ref(generator)
del generator
gc.collect()
found["kept"] = kept() is not None
gc.unfreeze()
gc.enable()
from ganime.data.pipeline import make_dataset
iterator = iter(make_dataset(ganime.DrawnFaces(), 64, 16))
next(iterator)
print(json.dumps(found))
"""
KERAS_FIRST = """
import gc, json, sys
gc.disable()
import keras, numpy as np
np.save("y.npy", keras.models.load_model("composed.keras")(np.ones((2, 3), np.float32)))
found = {"imported": [name for name in sys.modules if name.startswith("ganime")]}
import ganime
assert "ganime.training.gan" not in sys.modules
gan = keras.models.load_model("gan.keras")
found["gan"] = [type(gan).__module__, int(gan.step)]
gc.freeze()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a GAN of two steps, and a model that has networks of ours in it."""
    folder, (gan, _) = tmp_path_factory.mktemp("saved"), fit(epochs=1)
    gan.save(folder / "gan.keras")
    generator = ganime.build_generator(32, latent_size=6, widths=(8, 8, 8), slope=0.2)
    discriminator = ganime.build_discriminator(32, widths=(4, 8, 8), minibatch_deviation=2)
    text = keras.Input((3,))
    composed = keras.Model(text, discriminator(generator(keras.layers.Dense(6)(text))))
    composed.save(folder / "composed.keras")
    np.save(folder / "expected.npy", composed(np.ones((2, 3), np.float32)))
    return folder


@pytest.fixture(scope="module")
def done(folder):
    """How the two have ended, and what they have found out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    options = {"cwd": folder, "env": {**kept, "PYTHONPATH": str(ROOT)}, "capture_output": True, "text": True, "timeout": 120}
    done = [subprocess.run([sys.executable, "-c", code], **options) for code in (GANIME_FIRST, KERAS_FIRST)]
    for process in done:
        process.found = json.loads(process.stdout or "{}")
    return done


def test_python_ends_while_batches_are_loaded(done):
    """With an iterator left open, in the middle of loading."""
    assert done[0].returncode == 0, done[0].stderr


def test_faces_without_a_note(done):
    assert (done[0].found["faces"], done[0].stderr) == ([1, 64, 64, 3], "")


def test_keras_finds_the_class_that_nobody_has_imported(done):
    """Whichever is imported first; and `import ganime` imports neither Keras nor TensorFlow for that."""
    assert done[0].found["imported"] == []
    assert [process.found["gan"] for process in done] == [["ganime.training.gan", 2]] * 2


def test_generators_are_not_kept(done):
    """By what else is in the process: nothing that other tests left behind."""
    assert done[0].found["kept"] is False


def test_a_stranger_composes_saves_and_loads_without_ganime(done, folder):
    assert done[1].returncode == 0, done[1].stderr
    assert done[1].found["imported"] == []
    assert np.allclose(np.load(folder / "y.npy"), np.load(folder / "expected.npy"), atol=1e-6)
