"""What a GAN refuses: pictures of another range, settings beyond their bounds, names that do not exist."""

import keras
import numpy as np
import pytest

import ganime
from ganime.errors import InputError
from tests.training.small import PICTURES, small_gan
from tests.training.test_gan import same
from tests.training.test_keras_methods import networks

HALVED = PICTURES / 2 + 0.5
layers = keras.layers
REFUSED = {
    "0 to 1": (HALVED, r"between \S+ and 1: pictures of \[0, 1\]\? scale them by x \* 2 - 1"),
    "0 to 255": (HALVED * 255, r"between \S+ and 255: pictures of 0\.\.\.255\? scale them by x / 127\.5 - 1"),
    "twice": (PICTURES * 2, r"this batch lies between -2 and 2$"),
    "not a number": (np.where(np.arange(3) == 1, np.nan, PICTURES), "infinite or not a number$"),
    "infinite": (np.where(np.arange(3) == 1, -np.inf, PICTURES), "infinite or not a number$"),
}
TAKEN = {
    "zeros": np.zeros_like(PICTURES),
    "one color": np.full_like(PICTURES, 0.7),
    "few and bright": HALVED[:3],
    "pale": HALVED / 3,
    "uint8": np.uint8(HALVED * 255),
}


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize("name", REFUSED)
def test_pictures_of_another_range_are_refused_by_what_is_seen(name, method):
    """In a graph, where a whole epoch may be compiled, and the model is as it was."""
    gan, (pictures, message) = small_gan(), REFUSED[name]
    before = gan.get_weights()
    gan.reset_metrics()
    for _ in range(2):
        with pytest.raises(InputError, match=r"^pictures must be float in \[-1, 1\] or uint8 in 0\.\.\.255; .*" + message):
            getattr(gan, method)(pictures)
    assert same(before, gan.get_weights())


@pytest.mark.parametrize("name", TAKEN)
def test_pictures_that_may_be_right_are_taken(name):
    gan = small_gan()
    gan.fit(TAKEN[name], verbose=0)
    assert int(gan.step) == 1
    gan.evaluate(TAKEN[name], verbose=0)


def test_the_first_batch_of_each_call_is_looked_at():
    gan = small_gan()
    gan.fit(np.concatenate([PICTURES, HALVED]), batch_size=8, shuffle=False, verbose=0)  # a later batch may be bright
    gan.evaluate(np.concatenate([PICTURES, HALVED]), batch_size=8, verbose=0)
    for call in (gan.fit, gan.evaluate):
        with pytest.raises(InputError, match=r"of \[0, 1\]"):
            call(HALVED, verbose=0)
    assert int(gan.step) == 2


def test_pictures_are_looked_at_without_a_graph_too():
    gan = small_gan()
    gan.run_eagerly = True
    try:
        for call in (gan.fit, gan.evaluate):
            with pytest.raises(InputError, match=r"of \[0, 1\]"):
                call(HALVED, verbose=0)
    finally:
        gan.run_eagerly = False


NEVER = {
    "label_noise": -1,
    "label_flips": 2,
    "real_weight": -1.0,
    "r1_weight": float("nan"),
    "r1_interval": 0,
    "d_updates": 1.5,
    "hold_below": 3,
    "augmentations": ("wind",),
    "relativistic": "yes",
}


@pytest.mark.parametrize("name", NEVER)
def test_compile_takes_what_a_recipe_takes(name):
    for refuse in (small_gan().compile, ganime.Recipe):
        with pytest.raises(InputError, match=f"^{name}: "):
            refuse(**{name: NEVER[name]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "mse"}, "a GAN's losses are set by relativistic"),
        ({"loss_weights": [1]}, "a GAN's losses"),
        ({"metrics": ["accuracy"]}, "'accuracy' is not a keras.metrics.Metric of real and generated images"),
        ({"weighted_metrics": ["mae"]}, "weighted_metrics has no meaning"),
        ({"optimizer": keras.optimizers.Adam()}, "pass g_optimizer and d_optimizer"),
        ({"g_optimizer": keras.optimizers.Adam(use_ema=True)}, "ema_half_life"),
        ({"lable_noise": 0.1}, "there is no lable_noise; did you mean label_noise"),
        ({"wind": None}, "there is no wind$"),
        ({"learning_rate": 0.1}, r"learning_rate is the optimizers', as in g_optimizer=keras\.optimizers\.Adam\(0\.1\)"),
        ({"augmentations": "color"}, "augmentations: 'color' is not a list"),
        ({"label_noise": 0.6, "label_smoothing": 0.6}, "below 0"),
        ({"relativistic": True, "separate_updates": True}, "exclude each other"),
    ],
)
def test_what_compile_cannot_honor_is_refused(arguments, message):
    gan = small_gan()
    before = gan.g_optimizer, gan.settings, gan.train_function
    with pytest.raises(InputError, match=message):
        gan.compile(**{"g_optimizer": "sgd", "d_optimizer": "sgd", **arguments})
    assert before == (gan.g_optimizer, gan.settings, gan.train_function)  # it trains on as it was


def test_numbers_of_numpy_are_numbers():
    gan = ganime.GAN(*networks(), ema_half_life=np.int64(7), seed=np.uint32(3))
    gan.compile(label_noise=np.float32(0.5), d_updates=np.int64(2), relativistic=np.True_)
    assert (gan.ema_half_life, gan.settings["label_noise"], gan.settings["d_updates"]) == (7, 0.5, 2)


@pytest.mark.parametrize(
    "options", [{"ema_half_life": -1}, {"ema_half_life": "a"}, {"seed": 1.5}, {"seed": -1}, {"seed": None}]
)
def test_a_gan_is_made_of_numbers_that_have_a_meaning(options):
    with pytest.raises(InputError, match=f"^{next(iter(options))}: "):
        ganime.GAN(*networks(), **options)


def test_a_sigmoid_is_found_wherever_it_ends_a_network():
    latents = keras.Input((4,))
    dense = layers.Dense(192, "sigmoid")
    ends = [
        keras.Sequential([latents, dense, layers.Reshape((8, 8, 3))]),
        keras.Model(latents, keras.ops.sigmoid(layers.Reshape((8, 8, 3))(layers.Dense(192)(latents)))),
        keras.Sequential([latents, keras.Sequential([dense, layers.Reshape((8, 8, 3))])]),
    ]
    for generator in ends:
        with pytest.raises(InputError, match="the generator ends in a sigmoid"):
            ganime.GAN(generator, networks()[1])
        ganime.GAN(keras.Sequential([latents, generator, layers.Rescaling(2, -1)]), networks()[1])


def test_pictures_for_predict_are_refused():
    gan = small_gan()
    gan.predict(np.zeros((2, 4), np.float32), verbose=0)
    for call in (gan.predict, gan.predict_on_batch):
        with pytest.raises(InputError, match=r"latents \[batch, 4\], not of an array \[8, 8, 8, 3\]"):
            call(PICTURES)


def test_the_average_is_not_trainable():
    """No optimizer moves it; nor do its variables change what is saved, or in which order."""
    gan = small_gan()
    own = [*gan.generator.variables, *gan.discriminator.variables]
    for trainable, others, everything in (
        (gan.trainable_variables, gan.non_trainable_variables, gan.variables),
        (gan.trainable_weights, gan.non_trainable_weights, gan.weights),
    ):
        assert [id(v) for v in trainable] == [id(v) for v in own]
        assert {id(v) for v in others} == {id(v) for v in everything} - {id(v) for v in own}
    assert len(gan.averaged_generator.trainable_variables) == 2  # a model like others
    lines = []
    gan.summary(print_fn=lines.append)
    assert " Trainable params: 1,153 " in "\n".join(lines)


def make_dropping_gan(start):
    """With dropout, the layers of which begin with seeds of their own."""
    keras.utils.set_random_seed(start)
    judging = [keras.Input((8, 8, 3)), layers.Dropout(0.5), layers.Flatten(), layers.Dropout(0.5), layers.Dense(1)]
    gan = ganime.GAN(networks()[0], keras.Sequential(judging), seed=3)
    gan.compile(optimizer="sgd", run_eagerly=True)
    return gan


def test_a_gan_with_dropout_goes_on_exactly(tmp_path):
    """Keras saves the layers' own counters with no weights."""
    whole, part, loaded = (make_dropping_gan(start) for start in range(3))
    part.set_weights(whole.get_weights())
    logs = [gan.train_on_batch(PICTURES, return_dict=True) for gan in (whole, part) for _ in range(2)]
    assert logs[:2] == logs[2:]
    part.save_weights(tmp_path / "gan.weights.h5")
    loaded.load_weights(tmp_path / "gan.weights.h5")
    assert whole.train_on_batch(PICTURES, return_dict=True) == loaded.train_on_batch(PICTURES, return_dict=True)
    assert same(whole.get_weights(), loaded.get_weights())


def test_each_layer_and_step_has_numbers_of_its_own():
    gan, seen = make_dropping_gan(0), []
    for step in range(3):
        gan.step.assign(step)
        gan._seed_layers()
        seen += [tuple(v.numpy()) for v in gan.discriminator.variables if v.name == "seed_generator_state"]
    assert len({*seen}) == len(seen) == 6


@pytest.mark.parametrize(
    "setting, usual, other, message",
    [
        (keras.config.set_image_data_format, "channels_last", "channels_first", r"call keras\.config\.set_image_data_format"),
        (keras.config.set_floatx, "float32", "float64", r"Keras is set to float64; call keras\.config\.set_floatx"),
    ],
)
def test_a_keras_that_is_set_otherwise_is_named(setting, usual, other, message):
    generator, discriminator = networks()
    setting(other)
    try:
        for build in (ganime.build_generator, ganime.build_discriminator, lambda: ganime.GAN(generator, discriminator)):
            with pytest.raises(InputError, match=message):
                build()
    finally:
        setting(usual)
