"""Labels in a GAN, under plain Keras and in a run."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import ganime
from ganime.data.drawn import draw_face
from ganime.data.labelled import LabelledPictures, label_pictures
from ganime.errors import InputError
from ganime.generation.chain import read_chain
from ganime.labels import labels_of
from ganime.networks import build_discriminator, build_generator
from ganime.run import Run
from ganime.training.fit import fit
from ganime.training.loading import load_gan
from tests.training.small import one_gan  # noqa: F401
from tests.training.test_fit import assert_same_training

layers = keras.layers
PICTURES = np.random.default_rng(1).uniform(-1, 1, (8, 8, 8, 3)).astype(np.float32)
NUMBERS = np.array([0, 1, 2, 2, 1, 0, 2, 1])


def small_networks(labels=3):
    latents, images, weights = keras.Input((4 + labels,)), keras.Input((8, 8, 3)), keras.Input((labels,))
    drawn = layers.Reshape((8, 8, 3))(layers.Dense(192, activation="tanh")(latents))
    judged = layers.Dense(1)(layers.Concatenate()([layers.Flatten()(images), weights]))
    return keras.Model(latents, drawn), keras.Model([images, weights], judged)


@pytest.fixture
def gan():
    keras.utils.set_random_seed(1)
    gan = ganime.GAN(*small_networks(), ema_half_life=20, seed=3)
    gan.compile("sgd", "sgd", relativistic=True, label_noise=0, r1_weight=1.0)
    return gan


def test_keras_fit_takes_pictures_with_weights_or_numbers_of_labels(gan):
    assert (gan.labels, gan.latent_size) == (("0", "1", "2"), 4)
    start = gan.get_weights()
    ends = []
    for labels in (np.eye(3)[NUMBERS], NUMBERS):
        gan.set_weights(start)
        logs = gan.fit(PICTURES, labels, batch_size=4, shuffle=False, verbose=0).history
        assert logs["r1"][0] > 0 and np.isfinite(logs["g_loss"])
        ends.append(gan.get_weights())
    assert all(map(np.array_equal, *ends)) and not all(map(np.array_equal, start, ends[0]))
    assert "real_score" in gan.evaluate(PICTURES, NUMBERS, batch_size=4, return_dict=True, verbose=0)


def test_a_generated_picture_has_the_label_of_the_real_one_in_its_place(gan):
    """This generator draws each label's own color, and the real pictures are in theirs: no pair differs."""
    colors = np.tanh([-1.0, 0.2, 0.7]).astype(np.float32)
    kernel = np.zeros((7, 192), np.float32)
    kernel[4:] = np.arctanh(colors)[:, None]
    for generator in (gan.generator, gan.averaged_generator):
        generator.set_weights([kernel, np.zeros(192, np.float32)])
    real = np.broadcast_to(colors[NUMBERS][:, None, None, None], PICTURES.shape)
    for judge in (gan.test_on_batch, gan.train_on_batch):
        logs = judge(real, NUMBERS, return_dict=True)
        assert logs["real_score"] == logs["fake_score"] == 0.5
    assert gan.test_on_batch(real, NUMBERS[::-1], return_dict=True)["real_score"] != 0.5


@pytest.mark.parametrize(
    "labels, message",
    [
        (None, r"this GAN has labels: give \(pictures, labels\)"),
        (np.eye(4)[NUMBERS], r"weights \[batch, 3\]"),
        (NUMBERS.astype(float), r"weights \[batch, 3\]"),
    ],
)
def test_other_labels_are_refused_in_a_line(gan, labels, message):
    before = gan.get_weights()
    with pytest.raises(InputError, match=message):
        gan.fit(PICTURES, labels, batch_size=4, verbose=0)
    assert all(map(np.array_equal, before, gan.get_weights()))


def test_networks_that_do_not_agree_about_labels_are_refused():
    generator, discriminator = small_networks()
    with pytest.raises(InputError, match="has 2 labels, but the discriminator takes 3"):
        ganime.GAN(build_generator(32, 4, (4,), labels=["a", "b"]), build_discriminator(32, (4,), labels=["a", "b", "c"]))
    with pytest.raises(InputError, match="has 2 labels, but the discriminator takes 0"):
        ganime.GAN(build_generator(32, 4, (4,), labels=["a", "b"]), build_discriminator(32, (4,)))
    three = keras.Model([*discriminator.inputs, keras.Input((1,))], discriminator.output)
    with pytest.raises(InputError, match="a discriminator takes images, or"):
        ganime.GAN(generator, three)
    with pytest.raises(InputError, match="7 numbers, which are no more than 8 labels"):
        ganime.GAN(generator, small_networks(8)[1])


def test_faces_of_a_label_and_a_saved_gan(gan, tmp_path):
    one, two = (gan.sample([0, 1], labels=label) for label in ("0", ["0", "2"]))
    assert one.shape == (2, 8, 8, 3) and np.array_equal(one[0], two[0]) and not np.array_equal(one[1], two[1])
    assert np.array_equal(gan.sample([5]), gan.sample([5], labels="2"))  # in turn
    with pytest.raises(InputError, match="no label '3'"):
        gan.sample([0], labels="3")
    with pytest.raises(InputError, match=r"latents \[batch, 7\]"):
        gan.predict(np.zeros((2, 4), np.float32))
    gan.save(tmp_path / "gan.keras")
    again = load_gan(tmp_path / "gan.keras")
    assert again.labels == gan.labels and np.array_equal(again.sample([0], labels="1"), gan.sample([0], labels="1"))


def test_the_first_layer_gives_a_label_as_much_weight_as_the_latent():
    generator = build_generator(32, 100, (64, 8, 8), labels=("a", "b"))
    kernel = np.asarray(generator.layers[2].kernel)
    latent, label = np.square(kernel[..., :100]).sum(3).mean(), np.square(kernel[..., 100:]).mean()
    assert label == pytest.approx(latent, rel=0.1)


@pytest.mark.parametrize("field", ["head_channels", "minibatch_deviation"])
def test_a_projection_adds_a_part_of_the_pictures_own_label(field, images):
    discriminator = build_discriminator(32, (8, 8, 8), bias=True, norm="none", labels=["a", "b", "c"], **{field: 4})
    a, b, mixed, none = (
        np.asarray(discriminator([images, np.float32([weights] * 4)]))
        for weights in ([1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0, 0, 0])
    )
    assert not np.allclose(a, b) and np.allclose((a + b) / 2, mixed, atol=1e-6) and not np.allclose(none, a)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve faces, four with dark hair."""
    folder = tmp_path_factory.mktemp("pictures") / "faces"
    for i in range(12):
        place = folder / ("dark" if i % 3 else "very light")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_face(i, 40)).save(place / f"face{i:02}.png")
    return label_pictures(folder, "folders")


@pytest.fixture(scope="module")
def finished(tiny, pictures, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("runs") / "finished")
    fit(run, tiny.override("balance_labels=yes"), pictures, steps=4, sample_every=4, verbose=0)
    return run


def test_a_run_has_its_labels_everywhere(finished, pictures):
    config = finished.read_config()
    assert config["recipe"]["labels"] == ["dark", "very light"] and len(config["data"]["labels"]) == 16
    assert labels_of(ganime.load_generator(finished.path)) == read_chain(finished.generator_path).labels == pictures.labels
    assert labels_of(keras.models.load_model(finished.generator_path)) == pictures.labels
    assert load_gan(finished.path).labels == pictures.labels
    with Image.open(finished.samples_path / "step-000004.png") as grid:  # two rows of 16, and a column of names
        assert grid.height == 2 * 34 + 2 and 16 * 34 + 2 + 60 < grid.width < 16 * 34 + 2 + 100


def test_a_run_with_labels_goes_on_as_if_it_had_never_stopped(finished, pictures, tiny, tmp_path):
    run, recipe = Run(tmp_path / "run"), tiny.override("balance_labels=yes")
    for steps in (1, 4):
        fit(run, recipe, pictures, steps, sample_every=4, verbose=0)
    assert_same_training(finished, run)


def test_other_labels_than_before_are_named(finished, pictures, tiny, tmp_path):
    run, recipe = Run(shutil.copytree(finished.path, tmp_path / "run")), tiny.override("balance_labels=yes")
    with pytest.raises(
        InputError, match=r"is trained with labels, 'dark', 'very light'; give the pictures theirs with --labels"
    ):
        fit(run, tiny, pictures.pictures, 5)
    with pytest.raises(InputError, match=r"label 'fair' is none of those of run .*: 'dark', 'very light'"):
        fit(run, recipe, LabelledPictures(pictures.pictures, ["dark", "fair"], pictures.numbers), 5)
    moved = LabelledPictures(pictures.pictures, pictures.labels, 1 - pictures.numbers)
    with pytest.raises(InputError, match=r"data\.labels \(was .*--changed-data"):
        fit(run, recipe, moved, 5)
    fit(run, recipe, moved, 5, sample_every=9, changed_data=True, verbose=0)
    config = run.read_config()
    assert config["data_before"][0]["labels"] != config["data"]["labels"] and config["data_before"][0]["step"] == 4
    with pytest.raises(InputError, match="balance_labels is for pictures with labels"):
        fit(tmp_path / "other", recipe, pictures.pictures, 5)


def test_labels_in_another_order_are_those_of_the_run(finished, pictures, tiny, tmp_path):
    """The same names and pictures, though the numbers are others."""
    run = Run(shutil.copytree(finished.path, tmp_path / "run"))
    turned = LabelledPictures(pictures.pictures, pictures.labels[::-1], 1 - pictures.numbers)
    config = json.loads(run.config_path.read_text())
    gan = fit(run, tiny.override("balance_labels=yes"), turned, 4, verbose=0)
    assert gan.labels == tuple(config["recipe"]["labels"]) == pictures.labels
