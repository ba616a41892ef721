"""What people do by habit with a `keras.Model`, done with a GAN."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import ganime
from ganime.errors import InputError
from ganime.training.engine import dtype_policy
from tests.training.small import LOGGED, make_small_gan, small_networks
from tests.training.test_gan import make_gan as make_convolutional_gan
from tests.training.test_gan import same, train, weights

# A few steps take less time than to trace one.
make_gan = functools.partial(make_small_gan, run_eagerly=True)


@pytest.fixture
def pictures():
    return np.random.default_rng(1).uniform(-1, 1, (10, 8, 8, 3)).astype(np.float32)


class Steps(keras.callbacks.Callback):
    """Keeps each step's own values."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append({name: float(value) for name, value in logs.items()})


def test_an_epochs_logs_are_the_means_of_its_steps(pictures):
    steps = Steps()
    gan = make_gan(r1_weight=0.1, r1_interval=2)
    history = gan.fit(pictures[:8], batch_size=2, epochs=2, verbose=0, callbacks=[steps]).history
    assert history.keys() == LOGGED | {"r1"}
    for name in LOGGED:
        for epoch in (0, 1):
            own = [logs[name] for logs in steps.logs[4 * epoch : 4 * epoch + 4]]
            assert history[name][epoch] == pytest.approx(np.mean(own), rel=1e-5)
            assert name == "d_accuracy" or len({*own}) == 4
    assert history["r1"][1] == pytest.approx(np.mean([steps.logs[4]["r1"], steps.logs[6]["r1"]]), rel=1e-5)
    assert steps.logs[5]["r1"] == 0


def test_evaluation_judges_held_out_pictures_the_same_way_each_time():
    pictures = np.random.default_rng(1).uniform(-1, 1, (10, 32, 32, 3)).astype(np.float32)
    gan = make_convolutional_gan(real_weight=0.5, fake_weight=2.0)
    before = weights(gan.generator), weights(gan.discriminator)
    first = gan.evaluate(pictures, batch_size=4, verbose=0, return_dict=True)
    assert first == gan.evaluate(pictures, batch_size=4, verbose=0, return_dict=True)
    assert gan.evaluate(pictures, batch_size=4, verbose=0) == pytest.approx([first[name] for name in sorted(first)])
    assert same(before[0], weights(gan.generator)) and same(before[1], weights(gan.discriminator))
    real = np.asarray(gan.discriminator(pictures, training=False))
    batches = [np.logaddexp(0, -part).mean() for part in np.split(real, [4, 8])]
    assert first["real_loss"] == pytest.approx(np.mean(batches), rel=1e-5)
    assert first["d_loss"] == pytest.approx(0.5 * first["real_loss"] + 2 * first["fake_loss"], rel=1e-5)
    assert first.keys() == LOGGED
    assert int(gan.step) == 0


def test_each_batch_of_an_evaluation_has_latents_of_its_own(pictures):
    gan = make_gan()
    same_pictures = np.concatenate([pictures[:2]] * 2)
    logs = [gan.evaluate(part, batch_size=2, verbose=0, return_dict=True) for part in (pictures[:2], same_pictures)]
    assert logs[0]["real_loss"] == pytest.approx(logs[1]["real_loss"], rel=1e-6)
    assert logs[0]["fake_loss"] != pytest.approx(logs[1]["fake_loss"], rel=1e-3)


def test_validation_can_be_watched(pictures, tmp_path):
    class Pixels(keras.metrics.Metric):
        def __init__(self, name="pixels"):
            super().__init__(name=name)
            self.total = self.add_weight(name="total", initializer="zeros")

        def update_state(self, real, generated):
            self.total.assign_add(keras.ops.mean(real) - keras.ops.mean(generated))

        def result(self):
            return self.total.value

    gan = make_gan(metrics=[Pixels()], run_eagerly=False)
    path = tmp_path / "b.weights.h5"
    best = keras.callbacks.ModelCheckpoint(path, "val_pixels", mode="min", save_best_only=True, save_weights_only=True)
    stop = keras.callbacks.EarlyStopping("val_g_loss", patience=0, mode="max", min_delta=1e9)
    history = gan.fit(pictures, batch_size=2, epochs=9, validation_split=0.4, verbose=0, callbacks=[best, stop]).history
    assert history.keys() == LOGGED | {f"val_{name}" for name in (*LOGGED, "pixels")}
    assert len(history["val_pixels"]) == 2 and np.isfinite(history["val_pixels"]).all()
    make_gan().load_weights(path)  # metrics are no part of a state


def test_a_batch_that_is_no_multiple_of_the_discriminators_groups_is_trained_on():
    pictures = np.random.default_rng(1).uniform(-1, 1, (5, 32, 32, 3)).astype(np.float32)

    def make():
        keras.utils.set_random_seed(1)
        discriminator = ganime.build_discriminator(32, widths=(4, 4, 4), norm="none", minibatch_deviation=4)
        gan = ganime.GAN(ganime.build_generator(32, 6, (4, 4, 4)), discriminator)
        gan.compile(optimizer="sgd", run_eagerly=True)
        return gan

    a, b = make(), make()
    train(a, pictures[:3])
    train(b, pictures[[0, 1, 2, 0]])
    assert all(np.allclose(x, y, atol=1e-6) for x, y in zip(weights(a.discriminator), weights(b.discriminator), strict=True))
    assert len(a.evaluate(pictures[:5], batch_size=4, verbose=0)) == len(LOGGED)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ((4, 8, 8, 1), np.float32, r"\[batch, 8, 8, 3\] for this discriminator, not \[batch, 8, 8, 1\]"),
        ((4, 8, 8, 4), np.uint8, "not .batch, 8, 8, 4"),
        ((4, 16, 16, 3), np.uint8, "not .batch, 16, 16, 3"),
        ((4, 8, 8), np.uint8, "not .batch, 8, 8"),
        ((4, 8, 8, 3), np.int64, "uint8 or float, not int64"),
    ],
)
def test_pictures_of_another_shape_or_type_are_refused(shape, kind, message):
    with pytest.raises(InputError, match=message):
        make_gan().fit(np.zeros(shape, kind), verbose=0)


def test_networks_that_do_not_fit_are_refused():
    generator, discriminator = ganime.build_generator(32, widths=(8,)), ganime.build_discriminator(64, widths=(8,))
    with pytest.raises(InputError, match=r"images of \(32, 32, 3\), but the discriminator takes \(64, 64, 3\)"):
        ganime.GAN(generator, discriminator)
    with pytest.raises(InputError, match="a generator maps"):
        ganime.GAN(discriminator, generator)
    no_logit = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten()])
    with pytest.raises(InputError, match="one logit"):
        ganime.GAN(generator, no_logit)


def test_one_optimizer_cannot_serve_both_networks():
    adam = keras.optimizers.Adam()
    with pytest.raises(InputError, match="an optimizer of its own"):
        make_gan(g_optimizer=adam, d_optimizer=adam)


def test_an_optimizers_name_is_for_both():
    gan = make_gan(optimizer="rmsprop")
    assert [type(o) for o in (gan.g_optimizer, gan.d_optimizer)] == [keras.optimizers.RMSprop] * 2
    assert gan.g_optimizer is not gan.d_optimizer


def test_learning_rates_follow_schedules_and_callbacks_in_proportion(pictures):
    gan = make_gan(g_optimizer=keras.optimizers.SGD(0.1), d_optimizer=keras.optimizers.SGD(0.4))
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    plateau = keras.callbacks.ReduceLROnPlateau("g_loss", mode="min", factor=0.5, patience=1, min_delta=1e9)
    history = gan.fit(pictures, epochs=2, verbose=0, callbacks=[schedule, plateau]).history
    assert history["learning_rate"] == pytest.approx([0.05, 0.025])
    rates = float(gan.g_optimizer.learning_rate), float(gan.d_optimizer.learning_rate)
    assert rates == pytest.approx((0.0125, 0.05))
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.0])
    gan = make_gan(g_optimizer=keras.optimizers.SGD(decay), d_optimizer=keras.optimizers.SGD(decay))
    train(gan, pictures, steps=2)
    before = weights(gan.generator)
    train(gan, pictures)
    assert same(before, weights(gan.generator))


@pytest.mark.parametrize("name", ["default", "adam"])
def test_losses_of_networks_in_float16_are_scaled(name):
    with dtype_policy("mixed_float16"):
        networks = ganime.build_generator(32, widths=(8,)), ganime.build_discriminator(32, widths=(8,))
    gan = ganime.GAN(*networks)
    gan.compile(g_optimizer=name, d_optimizer=name)
    assert isinstance(gan.g_optimizer, keras.optimizers.LossScaleOptimizer)
    gan.compile(g_optimizer=name, auto_scale_loss=False)
    assert not isinstance(gan.g_optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
def test_a_penalty_that_would_miss_a_path_is_refused(pictures, interpolation, around):
    """Bilinear resizing has no second gradient in TensorFlow, and says nothing; with another path around it the penalty is
    finite and wrong."""
    images = keras.Input((8, 8, 3))
    x = keras.layers.UpSampling2D(2, interpolation=interpolation)(images)
    x = keras.layers.Conv2D(4, 4, 4)(x)
    if around:
        x = keras.layers.Concatenate()([x, keras.layers.Conv2D(4, 2, 2)(images)])
    logits = keras.layers.Dense(1)(keras.layers.Flatten()(x))
    gan = ganime.GAN(small_networks()[0], keras.Model(images, logits))
    gan.compile(r1_weight=1.0, run_eagerly=True)
    if interpolation == "nearest":
        assert gan.fit(pictures, verbose=0).history["r1"][0] > 0
        return
    with pytest.raises(InputError, match=f"r1_weight: the discriminator has Resize{interpolation.capitalize()}"):
        gan.fit(pictures, verbose=0)
    gan.compile(run_eagerly=True)
    gan.fit(pictures, verbose=0)  # without the penalty it may be there


def test_exporting_gives_a_model_that_makes_faces(pictures, tmp_path):
    gan = make_gan(run_eagerly=False)
    train(gan, pictures)
    gan.export(tmp_path / "saved", verbose=False)
    latents = ganime.from_seeds(range(3), gan.latent_size)
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    assert np.asarray(saved.serve(latents)) == pytest.approx(np.asarray(gan(latents)), abs=1e-6)


def test_keras_own_methods_and_names(pictures, tmp_path):
    gan = make_gan(run_eagerly=False)
    lines = []
    gan.summary(print_fn=lines.append)
    assert all(name in "\n".join(lines) for name in ("generator", "discriminator", "averaged_generator"))
    assert gan.predict(np.zeros((3, 4), np.float32), verbose=0).shape == (3, 8, 8, 3)
    assert set(gan.train_on_batch(pictures, return_dict=True)) == LOGGED
    assert set(gan.test_on_batch(pictures, return_dict=True)) == LOGGED
    json.dumps(gan.evaluate(pictures, verbose=0, return_dict=True))
