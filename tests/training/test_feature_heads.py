import keras
import numpy as np
import pytest
import tensorflow as tf

import ganime
from ganime.data.drawn import DrawnFaces
from ganime.errors import InputError
from ganime.metrics.networks import lite0
from ganime.metrics.torch_weights import read_weights
from ganime.training import draws
from ganime.training.engine import DTYPE_POLICIES, dtype_policy
from ganime.training.feature_heads import SEEDS, build_heads, train_heads
from tests.conftest import PLAIN
from tests.training.test_gan import make_gan, same, train, weights


def test_the_features_are_those_of_the_whole_network():
    content = read_weights(lite0.find_weights())
    pictures = np.random.default_rng(0).integers(0, 256, (1, lite0.SIDE, lite0.SIDE, 3)).astype(np.float32)
    whole = lite0.build(content)
    frozen = lite0.build_stages(content, pictures.shape[1:], (5, 7))
    middle, last = (np.array(stage) for stage in frozen(pictures / 127.5 - 1))
    assert middle.shape == (1, 14, 14, 112) and last.shape == (1, 7, 7, 320) and not frozen.trainable_variables
    places = whole(pictures)["places"]
    inner = middle.reshape(1, 7, 2, 7, 2, 112).mean((2, 4))[:, 1:6, 1:6].reshape(1, 25, 112)
    assert np.allclose(inner, places, atol=1e-4 * np.abs(places).max())
    (head,) = (layer for layer in whole.layers if getattr(layer, "filters", None) == 1280)
    expected = keras.Model(whole.input, head.input)(pictures)
    assert np.allclose(last, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("stride, side", [(1, 3), (2, 3), (1, 5), (2, 5)])
def test_depthwise_convolutions_have_the_gradient_of_keras_own(stride, side):
    x, kernel, bias = (tf.random.stateless_normal(shape, (1, 2)) for shape in [(2, 9, 8, 4), (side, side, 4, 1), (4,)])
    gradients = []
    for kind, policy in (
        (keras.layers.DepthwiseConv2D, "float32"),
        (lite0._Depthwise, "float32"),
        (lite0._Depthwise, "mixed_bfloat16"),
    ):
        layer = kind(side, stride, "same", dtype=policy)
        layer.build(x.shape)
        layer.set_weights([kernel, bias])
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = tf.cast(layer(x), tf.float32)
        gradients.append([values, tape.gradient(values, x, tf.random.stateless_normal(values.shape, (3, 4)))])
    (values, gradient), *others = gradients
    for error, (own_values, own_gradient) in zip((1e-6, 0.01), others, strict=True):
        assert np.linalg.norm(own_values - values) <= error * np.linalg.norm(values)
        assert np.linalg.norm(own_gradient - gradient) <= error * np.linalg.norm(gradient)


def test_heads_have_nothing_to_say_before_they_have_learned(images):
    network, heads = build_heads(ganime.build_discriminator(32, widths=(4, 8)), 4)
    features = network(tf.constant(images))
    assert [tuple(x.shape[1:]) for x in features] == [(8, 8, 24), (4, 4, 40), (2, 2, 112), (1, 1, 320)]
    assert np.array_equal(heads(features), np.zeros((4, 4)))


@pytest.mark.parametrize("relativistic", [False, True])
def test_a_step_is_gradient_descent_on_the_mean_of_the_heads(images, relativistic):
    """Against the losses written out."""
    gan = make_gan(feature_weight=2.0, label_noise=0.0, real_weight=0.5, generator_weight=3.0, relativistic=relativistic)
    for head in gan.feature_heads.layers:
        if isinstance(head, keras.layers.Dense):
            head.kernel.assign(keras.random.normal(head.kernel.shape, stddev=0.1, seed=1))
    before, variables = weights(gan.feature_heads), [v.value for v in gan.feature_heads.trainable_variables]
    real, fakes = tf.constant(images), tf.constant(images[::-1] * 0.5)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fakes)
        real_logits, fake_logits = gan.judge_features(real), gan.judge_features(fakes)
        if relativistic:
            real_logits, fake_logits = real_logits - fake_logits, fake_logits - real_logits
        d_loss = -0.5 * tf.reduce_mean(tf.math.log_sigmoid(real_logits)) - tf.reduce_mean(tf.math.log_sigmoid(-fake_logits))
        g_loss = -3.0 * tf.reduce_mean(tf.math.log_sigmoid(fake_logits))
    gradients, direction = tape.gradient(d_loss, variables), tape.gradient(g_loss, fakes)
    found = train_heads(gan, real, fakes)
    assert np.abs(direction).max() > 0 and np.allclose(found, 2.0 * direction, atol=1e-5 * np.abs(direction).max())
    for old, new, gradient in zip(before, weights(gan.feature_heads), gradients, strict=True):
        assert np.allclose(old - new, 0.1 * gradient, atol=1e-3 * np.abs(gradient).max() + 1e-7)


@pytest.mark.parametrize(("precision", "error"), [("bfloat16", 0.35), ("float16", 0.2)])
def test_sixteen_bits_give_the_gradient_of_thirty_two(images, precision, error):
    """float16's is that of a loss scaled up, without which its error would be 0.47. It is 0.12 on a processor without
    AVX512-FP16, where TensorFlow 2.21 leaves its products to Eigen."""
    directions = []
    for name in ("float32", DTYPE_POLICIES[precision]):
        with dtype_policy(name):
            networks = ganime.build_generator(32, latent_size=6, widths=(8,)), ganime.build_discriminator(32, widths=(4, 8))
        gan = ganime.GAN(*networks)
        keras.utils.set_random_seed(0)
        gan.compile(feature_weight=1.0, label_noise=0.0)
        for variable in gan.feature_heads.trainable_variables:
            variable.assign(0.003 * keras.random.normal(variable.shape, seed=len(variable.shape)))
        scale = gan.g_optimizer.scale_loss(tf.constant(1.0))
        assert (scale > 1) == (precision == "float16" and name != "float32")
        before = [weights(gan.feature_heads)]
        directions.append(train_heads(gan, tf.constant(images), tf.constant(images[::-1] * 0.5)) / scale)
        after = [weights(gan.feature_heads)]
        assert all(np.isfinite(w).all() for w in after[0]) and not same(before, after)
    expected, found = (np.ravel(direction) for direction in directions)
    assert np.linalg.norm(found - expected) < error * np.linalg.norm(expected)


def test_heads_join_after_so_many_pictures(images):
    settings = {"relativistic": True, "run_eagerly": False, "augmentations": ("translation",)}
    alone, joined = make_gan(**settings), make_gan(feature_weight=1.0, feature_after=8, **settings)
    before = weights(joined.feature_heads)
    assert train(alone, images, 2) == train(joined, images, 2)
    assert same(weights(alone.generator), weights(joined.generator)) and same(before, weights(joined.feature_heads))
    assert int(joined.f_optimizer.iterations) == 0
    train(alone, images)
    train(joined, images)  # now they learn, and what they said before was nothing
    assert same(weights(alone.generator), weights(joined.generator)) and not same(before, weights(joined.feature_heads))
    train(alone, images)
    train(joined, images)
    assert not same(weights(alone.generator), weights(joined.generator)) and int(joined.f_optimizer.iterations) == 2


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path, one_gan):
    recipe = ganime.get_recipe("default").override(*PLAIN, "feature_weight=1", "feature_after=8")
    whole = ganime.fit(tmp_path / "whole", recipe, DrawnFaces(20), 4, verbose=0)
    trained = [variable.numpy() for variable in (*whole.weights, *whole.f_optimizer.variables)]
    whole.save(tmp_path / "gan.keras")
    ganime.fit(tmp_path / "parts", recipe, DrawnFaces(20), 3, verbose=0)
    parts = ganime.fit(tmp_path / "parts", recipe, DrawnFaces(20), 4, verbose=0)
    assert int(parts.f_optimizer.iterations) == 2 and same(trained, [*parts.weights, *parts.f_optimizer.variables])

    assert (tmp_path / "gan.keras").stat().st_size < 8e6, "the pretrained network is part of it"
    loaded = ganime.load_gan(tmp_path / "gan.keras")
    assert same(trained, [*loaded.weights, *loaded.f_optimizer.variables])


def test_learning_rates_change_together():
    gan = make_gan(feature_weight=1.0)
    gan.optimizer.learning_rate = 0.05
    rates = [float(one.learning_rate) for one in (gan.g_optimizer, gan.d_optimizer, gan.f_optimizer)]
    assert rates == pytest.approx([0.05] * 3)


def test_heads_draw_what_nothing_else_draws():
    steps = [tf.constant([offset + 3, 0], tf.int64) for offset in (0, SEEDS)]
    own, others = ({tuple(seed.numpy()) for seed in draws.split(seed, 8)} for seed in steps)
    assert not own & others


def test_heads_join_discriminators_with_labels(images):
    labels = ("cat", "dog")
    networks = ganime.build_generator(32, 6, (8, 8), labels=labels), ganime.build_discriminator(32, (4, 8), labels=labels)
    gan = ganime.GAN(*networks)
    gan.compile(feature_weight=1.0, run_eagerly=True)
    before = weights(gan.feature_heads)
    gan.train_on_batch(images, np.arange(4) % 2)
    assert not same(before, weights(gan.feature_heads))


@pytest.mark.parametrize("shape", [(16, 16, 3), (32, 32, 1), (None, None, 3)])
def test_pictures_that_the_network_cannot_take_are_refused(shape):
    images = keras.Input(shape)
    discriminator = keras.Model(images, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(images)))
    with pytest.raises(InputError, match="feature_weight"):
        build_heads(discriminator, 1)
