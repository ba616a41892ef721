import keras
import numpy as np
import tensorflow as tf

from ganime.networks import build_generator
from ganime.training.forms import training_form
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
