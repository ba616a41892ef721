"""The GANs of keras.io with our parts, and ours with their networks (benchmarks/keras_examples.py), three steps each."""

import numpy as np
import pytest

import ganime
from benchmarks import keras_examples


@pytest.mark.slow
@pytest.mark.parametrize("train", [keras_examples.train_theirs, keras_examples.train_ours])
@pytest.mark.parametrize("name", keras_examples.EXAMPLES)
def test_an_example_trains_with_our_parts(name, train, tmp_path):
    pictures, held_out = ganime.split(ganime.DrawnFaces(200), 32)
    model, logs = train(name, pictures, held_out, 3, 32, 4, ganime.FeatureExtractor(), tmp_path)
    assert np.isfinite([*logs.values()]).all() and logs["KID-lite0"] > 0
    best = ganime.load_generator(tmp_path / "best.keras")
    latents = ganime.from_seeds(range(2), keras_examples.LATENT_SIZE)
    drawing = getattr(model, "averaged_generator", model.generator)
    assert np.array_equal(best(latents, training=False), drawing(latents, training=False))
