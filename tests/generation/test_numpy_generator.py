import keras
import numpy as np
import pytest

from ganime.generation import latents, sampling
from ganime.generation.chain import Unsupported
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.networks import build_generator
from ganime.training.engine import dtype_policy
from tests.generation.test_sampling import trained


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": True, "slope": 0.2, "norm_epsilon": 1e-3},
        {"image_size": 48, "latent_size": 5, "widths": (9, 8)},
        {"depth": 3, "slope": 0.2},
    ],
)
def test_numpy_and_keras_make_the_same_images(tmp_path, options):
    generator = trained(build_generator(**{"image_size": 32, "latent_size": 8, "widths": (16, 8, 8), **options}))
    generator.save(tmp_path / "g.keras")
    again = NumpyGenerator(tmp_path / "g.keras")
    points = latents.from_seeds(range(20), generator.input_shape[-1])
    images = np.asarray(generator(points, training=False))
    assert images.std() > 0.2
    assert np.abs(again(points) - images).max() < 1e-5
    assert (again.input_shape, again.output_shape) == (generator.input_shape, generator.output_shape)


def test_the_generator_that_ships_needs_no_tensorflow_for_a_few_faces():
    quick = sampling.load_for(3)
    assert isinstance(quick, NumpyGenerator)
    assert isinstance(sampling.load_for(sampling.FEW + 1), keras.Model)
    faces = sampling.sample(sampling.load_generator(), range(8))
    difference = np.abs(sampling.sample(quick, range(8)).astype(int) - faces)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def make(kind):
    """A generator that is no chain of the known layers in float32."""
    points = keras.Input((8,))
    if kind == "another precision":
        with dtype_policy("mixed_bfloat16"):
            return build_generator(32, 8, (8, 8, 8))
    if kind == "another layer":
        return keras.Sequential([points, keras.layers.Dense(12), keras.layers.Reshape((2, 2, 3))])
    chain = build_generator(32, 8, (8, 8, 8))
    if kind == "a model in the model":
        return keras.Model(points, chain(points))
    x = chain.layers[-2].output
    if kind == "a steep slope":
        return keras.Model(chain.input, keras.layers.LeakyReLU(1.5)(x))
    if kind == "a branch":
        return keras.Model(chain.input, keras.layers.Activation("tanh")(x + x))
    return keras.Model(chain.input, keras.layers.Activation("sigmoid")(x))


@pytest.mark.parametrize(
    "kind", ["another precision", "another layer", "a model in the model", "a branch", "another activation", "a steep slope"]
)
def test_what_numpy_cannot_run_is_left_to_keras(tmp_path, kind):
    make(kind).save(tmp_path / "g.keras")
    with pytest.raises(Unsupported):
        NumpyGenerator(tmp_path / "g.keras")
    assert isinstance(sampling.load_for(1, tmp_path / "g.keras"), keras.Model)
