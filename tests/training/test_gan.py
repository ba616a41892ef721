import keras
import numpy as np
import pytest
import tensorflow as tf

import ganime
from ganime.data.drawn import draw_face
from ganime.recipes import RECIPES
from ganime.training import draws, losses
from ganime.training.penalty import find_gamma

COUNTS = {
    "default": (1_215_395, 694_257),
    "large": (2_339_187, 2_764_753),
    "puppy-projects": (3_806_080, 2_765_696),
    "zero-to-gans": (3_806_080, 2_765_696),
    "anime-faces-creation": (1_446_595, 2_712_363),
    "anime-face-generation": (12_660_355, 11_038_081),
    "generating-anime": (3_576_704, 2_765_568),
}


def make_gan(ema_half_life=20, norm="none", **settings):
    keras.utils.set_random_seed(1)
    generator = ganime.build_generator(32, latent_size=6, widths=(8, 8, 8))
    discriminator = ganime.build_discriminator(32, widths=(4, 8, 8), norm=norm, bias=True)
    gan = ganime.GAN(generator, discriminator, ema_half_life=ema_half_life, seed=3)
    descent = {"g_optimizer": keras.optimizers.SGD(0.1), "d_optimizer": keras.optimizers.SGD(0.1), "run_eagerly": True}
    gan.compile(**{**descent, **settings})
    return gan


def train(gan, images, steps=1):
    return gan.fit(tf.data.Dataset.from_tensors(images).repeat(steps), shuffle=False, verbose=0).history


def step_seeds(seed=3, step=0):
    return draws.split(tf.constant([seed, step], tf.int64), 8)


def weights(model):
    return [v.numpy() for v in model.trainable_variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_step_is_what_the_papers_say(images):
    """Both updates against plain gradient descent on the losses written out, with the step's own pictures and labels."""
    gan = make_gan(
        label_noise=0.0, label_smoothing=0.1, real_weight=0.5, fake_weight=2.0, generator_weight=3.0, reuse_fakes=True
    )
    g, d = keras.models.clone_model(gan.generator), keras.models.clone_model(gan.discriminator)
    g.set_weights(gan.generator.get_weights())
    d.set_weights(gan.discriminator.get_weights())
    fakes = gan._generate(tf.constant(images), step_seeds()[0])
    history = train(gan, images)

    def log_sigmoid(x):
        return tf.math.log_sigmoid(x)

    with tf.GradientTape() as tape:
        real_logits, fake_logits = d(images), d(fakes)
        real_loss = -tf.reduce_mean(0.9 * log_sigmoid(real_logits) + 0.1 * log_sigmoid(-real_logits))
        d_loss = 0.5 * real_loss - 2.0 * tf.reduce_mean(log_sigmoid(-fake_logits))
    d_variables = [v.value for v in d.trainable_variables]
    for variable, gradient in zip(d_variables, tape.gradient(d_loss, d_variables), strict=True):
        variable.assign_sub(0.1 * gradient)
    with tf.GradientTape() as tape:
        latents = draws.normal((4, 6), step_seeds()[0])
        g_loss = -3.0 * tf.reduce_mean(log_sigmoid(d(g(latents, training=True))))
    g_variables = [v.value for v in g.trainable_variables]
    for variable, gradient in zip(g_variables, tape.gradient(g_loss, g_variables), strict=True):
        variable.assign_sub(0.1 * gradient)

    assert history["d_loss"][0] == pytest.approx(float(d_loss), rel=1e-5)
    assert history["g_loss"][0] == pytest.approx(float(g_loss), rel=1e-5)
    assert history["real_score"][0] == pytest.approx(float(tf.reduce_mean(tf.sigmoid(real_logits))), rel=1e-5)
    assert history["fake_score"][0] == pytest.approx(float(tf.reduce_mean(tf.sigmoid(fake_logits))), rel=1e-5)
    for ours, theirs in ((gan.discriminator, d), (gan.generator, g)):
        for a, b in zip(weights(ours), weights(theirs), strict=True):
            assert np.allclose(a, b, rtol=1e-4, atol=1e-6)


def test_relativistic_losses_are_of_pairs(images):
    """The published loss (softplus of the difference, for both networks), the discriminator's counted twice; the generator's
    with the real pictures' logits from before the update."""
    gan = make_gan(relativistic=True, label_noise=0.0, reuse_fakes=True)
    fakes = gan._generate(tf.constant(images), step_seeds()[0])
    real_logits = gan.discriminator(images).numpy()
    lead = real_logits - gan.discriminator(fakes).numpy()
    before = weights(gan.generator)
    history = train(gan, images)
    after = real_logits - gan.discriminator(fakes).numpy()
    assert abs(after - lead).mean() > 1e-3
    assert history["d_loss"][0] == pytest.approx(2 * np.mean(np.logaddexp(0, -lead)), rel=1e-5)
    assert history["g_loss"][0] == pytest.approx(np.mean(np.logaddexp(0, after)), rel=1e-5)
    assert history["real_score"][0] == pytest.approx(np.mean(1 / (1 + np.exp(-lead))), rel=1e-5)
    assert history["d_accuracy"][0] == pytest.approx(np.mean(lead > 0))
    assert not same(before, weights(gan.generator))


def cross_entropy(labels, logits):
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))


def test_labels_are_noisy_for_both_networks(images):
    """The losses of a step, from its logits and from labels drawn as it draws them."""
    gan = make_gan(label_noise=0.4, reuse_fakes=True, d_optimizer=keras.optimizers.SGD(0.0))
    seeds = step_seeds()
    fakes = gan._generate(tf.constant(images), seeds[0])
    real_logits, fake_logits = gan.discriminator(images).numpy(), gan.discriminator(fakes).numpy()
    d_draws = draws.uniform((4, 4, 1), seeds[3], axis=1).numpy()
    g_draws = draws.uniform((4, 1), seeds[5]).numpy()
    history = train(gan, images)
    d_loss = cross_entropy(1 - 0.4 * d_draws[0], real_logits) + cross_entropy(0.4 * d_draws[2], fake_logits)
    assert history["d_loss"][0] == pytest.approx(d_loss, rel=1e-5)
    assert history["g_loss"][0] == pytest.approx(cross_entropy(1 - 0.4 * g_draws, fake_logits), rel=1e-5)


def test_all_labels_flipped_are_the_opposite_labels(images):
    gan = make_gan(label_noise=0.0, label_flips=1.0)
    fakes = gan._generate(tf.constant(images), step_seeds()[0])
    expected = cross_entropy(0, gan.discriminator(images).numpy()) + cross_entropy(1, gan.discriminator(fakes).numpy())
    assert train(gan, images)["d_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_every_update_draws_new_fakes_unless_they_are_reused(images):
    frozen = {"d_optimizer": keras.optimizers.SGD(0.0), "label_noise": 0.0}
    for reuse in (False, True):
        history = train(make_gan(reuse_fakes=reuse, **frozen), images)
        fake_loss = -np.log(history["fake_score"][0])  # nearly the generator's loss if it saw the same pictures
        assert (abs(history["g_loss"][0] - fake_loss) < 1e-4) == reuse


def test_separate_updates_step_twice(images):
    gan = make_gan(separate_updates=True)
    train(gan, images)
    assert (int(gan.d_optimizer.iterations), int(gan.g_optimizer.iterations)) == (2, 1)


def test_separate_updates_are_on_real_and_then_on_generated_pictures(images):
    """Against two steps of gradient descent, written out."""
    gan = make_gan(separate_updates=True, label_noise=0.0)
    d = keras.models.clone_model(gan.discriminator)
    d.set_weights(gan.discriminator.get_weights())
    fakes = gan._generate(tf.constant(images), step_seeds()[0])
    variables = [v.value for v in d.trainable_variables]
    for sign, pictures in ((1, images), (-1, fakes)):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(tf.math.log_sigmoid(sign * d(pictures)))
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.1 * gradient)
    train(gan, images)
    for a, b in zip(weights(gan.discriminator), weights(d), strict=True):
        assert np.allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_generator_waits_for_its_turn(images):
    gan = make_gan(d_updates=2, reuse_fakes=True)
    before_g, before_d = weights(gan.generator), weights(gan.discriminator)
    train(gan, images)
    assert same(before_g, weights(gan.generator)) and not same(before_d, weights(gan.discriminator))
    g_loss = train(gan, images)["g_loss"][0]
    assert not same(before_g, weights(gan.generator))
    assert train(gan, images)["g_loss"][0] == g_loss  # the last update's


@pytest.mark.parametrize("threshold, held", [(1e-6, False), (1.0, True)])
def test_the_generator_is_held_while_the_discriminator_is_weak(images, threshold, held):
    gan = make_gan(hold_below=threshold)
    before = weights(gan.generator)
    history = train(gan, images)
    assert 0 <= history["d_accuracy"][0] <= 1
    assert same(before, weights(gan.generator)) == held


def test_r1_is_applied_lazily_and_in_proportion(images):
    settings = {"r1_interval": 2, "label_noise": 0.0}
    plain, penalized = make_gan(r1_weight=1e-12, **settings), make_gan(r1_weight=1.0, **settings)
    before = weights(plain.discriminator)
    with tf.GradientTape() as tape:
        penalty = losses.r1_penalty(plain.discriminator, tf.constant(images))
    gradient = tape.gradient(penalty, [v.value for v in plain.discriminator.trainable_variables])
    history = train(penalized, images)
    train(plain, images)
    assert history["r1"][0] == pytest.approx(float(penalty), rel=1e-5)
    for a, b, g, w in zip(weights(plain.discriminator), weights(penalized.discriminator), gradient, before, strict=True):
        if g is not None:  # weight 1/2, twice as strong for the interval of 2, learning rate 0.1
            assert np.allclose(a - b, 0.1 * g, rtol=1e-3, atol=1e-6 + 1e-6 * np.abs(w).max())
    assert train(penalized, images)["r1"][0] == 0


def test_gamma_goes_along_half_a_cosine_while_so_many_pictures_are_seen(images):
    gan = make_gan(r1_first_weight=2.0, r1_weight=0.5, r1_fall=8 * len(images), label_noise=0.0)
    gammas = []
    for step in (0, 2, 4, 8, 10**9):
        gan.step.assign(step)
        gammas.append(float(find_gamma(gan, images)))
    assert gammas == pytest.approx([2.0, 1.25 + 0.75 / 2**0.5, 1.25, 0.5, 0.5])
    constant = make_gan(r1_weight=1.25, label_noise=0.0)
    for model in (gan, constant):
        model.step.assign(4)
    train(gan, images)
    train(constant, images)
    for one, other in zip(weights(gan.discriminator), weights(constant.discriminator), strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("step, keep", [(10_000, 0.5), (9, 0.25)])
def test_the_average_follows_with_its_half_life(images, step, keep):
    """4 pictures are a half-life late in training; after 40 pictures it is a twentieth of them, so 4 are two."""
    gan = make_gan(ema_half_life=4)
    gan.step.assign(step)
    before = [v.numpy() for v in gan.averaged_generator.variables]
    train(gan, images)
    after = [v.numpy() for v in gan.averaged_generator.variables]
    current = [v.numpy() for v in gan.generator.variables]
    assert not same(before, current)
    for a, b, c in zip(after, before, current, strict=True):
        assert np.allclose(a, keep * b + (1 - keep) * c, atol=1e-6)


def test_without_a_half_life_the_average_is_a_copy(images):
    gan = make_gan(ema_half_life=0)
    train(gan, images)
    assert same(weights(gan.averaged_generator), weights(gan.generator))


def test_a_model_can_be_saved_before_it_is_compiled(tmp_path):
    gan = ganime.GAN(ganime.build_generator(32, widths=(8, 8, 8)), ganime.build_discriminator(32, widths=(8, 8, 8)))
    gan.save(tmp_path / "gan.keras")
    assert same(weights(keras.models.load_model(tmp_path / "gan.keras")), weights(gan))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_a_step(name):
    """With the numbers of trainable parameters that were published or that docs/recipes.md gives."""
    gan = ganime.build_gan(RECIPES[name].override("batch_size=4"))
    counts = tuple(sum(v.size for v in weights(network)) for network in (gan.generator, gan.discriminator))
    assert counts == COUNTS[name]
    gan.run_eagerly = True
    before = weights(gan.discriminator)
    history = train(gan, np.stack([draw_face(seed, 64) for seed in range(4)]))
    assert all(np.isfinite(values).all() for values in history.values())
    after = weights(gan.discriminator)
    if RECIPES[name].relativistic:  # the bias of the logits is not in their differences
        assert np.array_equal(before.pop(), after.pop())
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_uint8_pictures_are_scaled(images):
    pixels = np.round((images + 1) * 127.5).astype(np.uint8)
    a, b = make_gan(), make_gan()
    train(a, pixels)
    train(b, pixels / np.float32(127.5) - 1)
    assert all(np.allclose(x, y, atol=1e-6) for x, y in zip(weights(a.generator), weights(b.generator), strict=True))


@pytest.mark.filterwarnings("error:Skipping variable loading")
def test_a_saved_model_goes_on_as_if_it_had_never_stopped(images, tmp_path):
    settings = {"augmentations": ("color", "translation"), "r1_weight": 0.1, "norm": "batch"}
    whole, part = (make_gan(g_optimizer="adam", d_optimizer="adam", **settings) for _ in range(2))
    train(whole, images, steps=2)
    train(part, images)
    part.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.settings == whole.settings and loaded.get_config().keys() == whole.get_config().keys()
    train(loaded, images)
    assert int(loaded.step) == 2
    assert same(weights(whole), weights(loaded))
    assert same(*([v.numpy() for v in gan.d_optimizer.variables] for gan in (whole, loaded)))


def test_there_are_two_optimizers_and_no_third():
    gan = make_gan()
    assert gan.g_optimizer.built and gan.d_optimizer.built
    assert not isinstance(gan.optimizer, keras.optimizers.Optimizer)
