import keras
import numpy as np
import pytest

from ganime.errors import InputError
from ganime.generation import latents, sampling
from ganime.generation.sampling import sample
from ganime.networks import build_generator
from ganime.pictures.grids import to_uint8


@pytest.fixture
def generator():
    return trained(build_generator(48, 8, (16, 8, 7), slope=0.1, bias=True))


def trained(generator):
    """With weights and statistics as after a training: no bias is 0, no picture gray."""
    random = np.random.default_rng(0)
    for variable in generator.weights:
        kernel = len(variable.shape) > 1
        terms = variable.shape[-1] * (9 / 4 if variable.shape[0] == 3 else 1)  # nine pixels instead of four
        mean, deviation = (0, 0.8 / terms**0.5) if kernel else (0.5, 0.1)
        variable.assign(random.normal(mean, deviation, variable.shape))
    return generator


def assert_same(generator, seeds=range(5), levels=1):
    plain = to_uint8(generator(latents.from_seeds(seeds, generator.input_shape[-1]), training=False))
    faces = sample(generator, seeds)
    assert faces.dtype == np.uint8 and faces.std() > 10
    assert np.abs(faces.astype(int) - plain).max() <= levels


def test_faces_are_what_the_generator_makes(generator):
    assert_same(generator)
    assert_same(generator, [2**32 - 1])
    generator.set_weights([weights * 0.9 for weights in generator.get_weights()])
    assert_same(generator)  # not what it was when the graph was traced


def test_a_face_depends_on_its_seed_only(generator):
    faces = sample(generator, range(20), truncation=0.7).astype(int)
    for seeds, batch_size in (([3], 64), ([19, 3, 7], 64), (range(20), 7)):
        assert np.abs(sample(generator, seeds, 0.7, batch_size) - faces[list(seeds)]).max() <= 1


@pytest.mark.parametrize(
    "first, options",
    [
        ((4, 1, "valid"), {"activation": "relu"}),
        ((5, 2, "valid"), {}),
        (((4, 3), 1, "valid"), {}),
        ((4, 2, "same"), {"output_padding": 1}),
    ],
)
def test_transposed_convolutions_of_all_kinds(first, options):
    points = keras.Input((8,))
    x = keras.layers.Reshape((1, 1, 8))(points)
    for filters, arguments in ((16, first), (9, (4, 2, "same")), (3, (4, 2, "same"))):
        x = keras.layers.Conv2DTranspose(filters, *arguments, **(options if filters == 16 else {}))(x)
    assert_same(trained(keras.Model(points, keras.layers.Activation("tanh")(x))))


def test_generators_of_other_kinds():
    class Written(keras.Model):
        input_shape = (None, 8)

        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(48, "tanh")

        def call(self, points):
            return keras.ops.reshape(self.dense(points), (-1, 4, 4, 3))

    assert_same(Written())
    assert_same(keras.Sequential([keras.Input((8,)), keras.layers.Dense(48, "tanh"), keras.layers.Reshape((4, 4, 3))]))


def test_half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = build_generator(32, 8, (8, 8, 8))
    finally:
        keras.config.set_dtype_policy(before)
    assert_same(trained(generator), levels=8)


def test_an_installed_package_without_its_generator_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(sampling, "SHIPPED", tmp_path / "none.keras")
    with pytest.raises(InputError, match=r"none\.keras, which comes with ganime, is missing"):
        sampling.load_generator()
