import keras
import numpy as np
import pytest
import tensorflow as tf

import ganime
from ganime.generation.latents import from_seeds
from ganime.networks import build_discriminator, build_generator
from ganime.training.callbacks import Checkpoint
from ganime.training.forms import FACES, FIRST_SEED, own_statistics, training_form
from tests.training.test_gan import same, weights


def test_the_training_form_computes_what_keras_does():
    """Outputs, gradients and moving averages; the moving variance takes the unbiased variance."""
    keras.utils.set_random_seed(0)
    network = build_generator(32, latent_size=6, widths=(8, 8, 8))
    first = network.get_weights()
    latents, direction = keras.random.normal((8, 6), seed=1), keras.random.normal((8, 32, 32, 3), seed=2)

    def run(form):
        network.set_weights(first)
        with tf.GradientTape() as tape:
            images = form(latents, training=True)
        gradients = tape.gradient(images, [v.value for v in network.trainable_variables], output_gradients=direction)
        moving = [(norm.moving_mean.numpy(), norm.moving_variance.numpy()) for norm in norms]
        return images, gradients, moving

    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    images, gradients, moving = run(network)
    fused_images, fused_gradients, fused_moving = run(training_form(network))
    assert np.allclose(images, fused_images, atol=1e-5)
    for a, b in zip(gradients, fused_gradients, strict=True):
        assert np.allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(a).max())
    for side, (mean, variance), (fused_mean, fused_variance) in zip((4, 8, 16), moving, fused_moving, strict=True):
        assert np.allclose(mean, fused_mean, rtol=1e-4, atol=1e-6)
        count = 8 * side**2
        batch_variance = 10 * (variance - 0.9)  # of the moving variance, which was 1, a tenth
        assert np.allclose(10 * (fused_variance - 0.9), batch_variance * count / (count - 1), rtol=1e-4, atol=1e-5)


def test_the_training_form_shares_all_layers_and_is_not_saved(tmp_path):
    network = build_generator(32, latent_size=6, widths=(8, 8, 8))
    before = network.get_config()
    form = training_form(network)
    assert all(a is b for a, b in zip(form.trainable_variables, network.trainable_variables, strict=True))
    assert network.get_config() == before
    latents = keras.random.normal((4, 6))
    assert np.allclose(form(latents, training=False), network(latents, training=False), atol=1e-6)
    network.save(tmp_path / "generator.keras")
    assert same(weights(keras.models.load_model(tmp_path / "generator.keras")), weights(network))


def test_other_models_are_left_alone():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    model = Subclassed()
    assert training_form(model) is model
    frozen = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.BatchNormalization()])
    frozen.layers[0].trainable = False
    images = keras.random.normal((8, 4, 4, 3), mean=2.0)
    assert np.allclose(training_form(frozen)(images, training=True), frozen(images, training=False))


def moved(ema_half_life=64, labels=(), size=32):
    """A GAN after two steps that have moved its average."""
    sizes = {"image_size": size, "latent_size": 6, "generator_widths": (8, 8, 8), "discriminator_widths": (8, 8, 8)}
    gan = ganime.build_gan({**sizes, "labels": labels, "batch_size": 8, "ema_half_life": ema_half_life, "flips": False})
    pictures, numbers = np.zeros((16, size, size, 3), np.uint8), np.zeros(16, int)
    gan.fit(pictures, numbers if labels else None, batch_size=8, verbose=0)
    return gan


def normalizing(network):
    return [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.mark.parametrize("size", [32, 40])  # in one batch, and in two that are not equal
def test_an_average_has_the_statistics_of_its_own_activations_while_it_is_asked_to(size):
    average = moved(size=size).averaged_generator
    before = average.get_weights()
    latents = from_seeds(range(FIRST_SEED, FIRST_SEED + FACES), 6)
    with own_statistics(average) as same_one:
        assert same_one is average
        for norm in normalizing(average):
            features = keras.Model(average.input, norm.input).predict(latents, verbose=0)
            mean, variance = features.mean((0, 1, 2)), features.var((0, 1, 2))
            assert np.allclose(norm.moving_mean, mean, rtol=1e-3, atol=1e-4 * np.abs(mean).max())
            assert np.allclose(norm.moving_variance, variance, rtol=1e-3, atol=1e-4 * variance.max())
        taken = average.get_weights()
    assert same(average.get_weights(), before) and not same(taken, before)
    with own_statistics(average):
        assert same(average.get_weights(), taken)  # of the same latents each time


def test_statistics_are_put_back_where_something_fails():
    average = moved().averaged_generator
    before = average.get_weights()
    with pytest.raises(KeyboardInterrupt), own_statistics(average):
        raise KeyboardInterrupt
    assert same(average.get_weights(), before)


def test_only_an_average_without_labels_takes_statistics():
    """Those of a copy are of its own kernels; which labels how many faces have, an average does not know."""
    for generator in (
        moved(0).averaged_generator,
        moved(labels=("one", "two")).averaged_generator,
        build_generator(32, latent_size=6, widths=(8, 8, 8)),
    ):
        before = generator.get_weights()
        with own_statistics(generator):
            assert same(generator.get_weights(), before)


def test_a_normalization_that_is_called_twice_keeps_its_statistics():
    latents = keras.Input((6,))
    norm, doubled = keras.layers.BatchNormalization(), keras.layers.Reshape((4, 4, 8))(keras.layers.Dense(128)(latents))
    x = keras.layers.UpSampling2D(8)(keras.layers.BatchNormalization()(norm(norm(doubled))))
    generator = keras.Model(latents, keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(x))
    average = ganime.GAN(generator, build_discriminator(32, widths=(8, 8, 8)), ema_half_life=64).averaged_generator
    twice, once = normalizing(average)
    with own_statistics(average):
        assert np.all(twice.moving_mean == 0) and np.all(twice.moving_variance == 1)
        assert np.any(once.moving_variance != 1)


def test_a_generator_is_saved_with_its_own_statistics_and_the_state_with_those_that_followed(tmp_path):
    gan = moved()
    before = gan.averaged_generator.get_weights()
    checkpoint = Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras")
    checkpoint.set_model(gan)
    checkpoint.on_train_begin()
    checkpoint.save()
    saved = keras.models.load_model(tmp_path / "generator.keras").get_weights()
    with own_statistics(gan.averaged_generator):
        assert same(saved, gan.averaged_generator.get_weights())
    other = moved()
    other.load_weights(tmp_path / "gan.weights.h5")
    assert same(gan.averaged_generator.get_weights(), before) and same(other.averaged_generator.get_weights(), before)
