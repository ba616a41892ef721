"""Every way in and out that a `keras.Model` has, with a GAN: saving, copying, exporting, and what `fit` and `evaluate` take."""

import copy
import importlib.util
import pickle
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import ganime
from ganime.errors import GanimeError, InputError
from ganime.training.checks import keeps_order
from tests.training.small import LOGGED, PICTURES, make_small_gan, small_gan
from tests.training.test_gan import same
from tests.training.test_keras_callbacks import fit

LATENTS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
LABELS = np.arange(8)
layers = keras.layers


def state(gan):
    return [variable.numpy() for variable in (*gan.variables, *gan.optimizer.variables)]


def through_file(gan, path, **options):
    gan.save(path, **options)
    return keras.models.load_model(path)


def through_weights(gan, path, **options):
    gan.save_weights(path, **options)
    loaded = make_small_gan()
    loaded.load_weights(path)
    return loaded


WAYS = {
    ".keras": lambda gan, folder: through_file(gan, folder / "gan.keras"),
    "folder": lambda gan, folder: through_file(gan, folder / "gan", zipped=False),
    ".weights.h5": lambda gan, folder: through_weights(gan, folder / "gan.weights.h5"),
    ".weights.json": lambda gan, folder: through_weights(gan, folder / "gan.weights.json", max_shard_size=1e-5),
    "pickle": lambda gan, folder: pickle.loads(pickle.dumps(gan)),
    "copy": lambda gan, folder: copy.copy(gan),
    "deepcopy": lambda gan, folder: copy.deepcopy(gan),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_saved_or_copied_gan_is_the_same(way, tmp_path):
    gan, _ = fit(epochs=1)
    loaded = WAYS[way](gan, tmp_path)
    assert loaded is not gan and loaded.compiled and int(loaded.step) == 2
    assert same(state(gan), state(loaded))
    assert np.array_equal(gan(LATENTS), loaded(LATENTS))


def test_a_configuration_is_the_architecture():
    gan, _ = fit(epochs=1)
    made = ganime.GAN.from_config(gan.get_config()), keras.models.model_from_json(gan.to_json()), keras.models.clone_model(gan)
    for other in made:
        assert (other.seed, other.ema_half_life, int(other.step)) == (3, 20, 0)
        other.set_weights(gan.get_weights())
        assert np.array_equal(gan(LATENTS), other(LATENTS))


def test_a_format_without_room_is_refused_before_anything_is_written(tmp_path):
    gan = small_gan()
    for name in ("gan.h5", "gan.hdf5"):
        with pytest.raises(InputError, match=r"a GAN is saved as \.keras"):
            gan.save(tmp_path / name)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(InputError, match=r"a GAN is saved as \.keras"):
        keras.saving.save_model(gan, tmp_path / "gan.h5")
    with pytest.raises(ValueError, match=r"either a `\.keras` extension"):
        gan.save(tmp_path / "gan")


def test_exported_files_make_the_same_faces(tmp_path):
    gan, _ = fit(epochs=1)
    expected = pytest.approx(np.asarray(gan(LATENTS)), abs=1e-6)
    gan.export(tmp_path / "faces.tflite", "litert", verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's interpreter will be another package's
        interpreter = tf.lite.Interpreter(str(tmp_path / "faces.tflite"))
    assert np.asarray(interpreter.get_signature_runner()(latents=LATENTS)["output_0"]) == expected
    archive = keras.export.ExportArchive()
    archive.track(gan)
    archive.add_endpoint("faces", gan.call, [keras.InputSpec(shape=(None, 4), dtype="float32")])
    archive.write_out(str(tmp_path / "archive"), verbose=False)
    saved = tf.saved_model.load(str(tmp_path / "archive"))
    assert np.asarray(saved.faces(LATENTS)) == expected


@pytest.mark.parametrize(("format", "package"), [("onnx", r"tf2onnx.*ganime\.export\(gan\."), ("openvino", "openvino")])
def test_formats_of_other_packages_say_which(format, package, tmp_path):
    path = tmp_path / f"faces.{'xml' if format == 'openvino' else format}"
    if importlib.util.find_spec(package.partition(".")[0]):
        small_gan().export(path, format, verbose=False)
        assert path.exists()
    else:
        with pytest.raises((GanimeError, ImportError), match=package):
            small_gan().export(path, format)


def test_what_keras_cannot_do_is_said(tmp_path):
    gan = small_gan()
    for format, message in (("torch", "PyTorch backend"), ("pickle", "Supported formats are")):
        with pytest.raises(ValueError, match=message):
            gan.export(tmp_path / "faces", format)
    if not importlib.util.find_spec("pydot"):
        with pytest.raises(ImportError, match="You must install pydot"):
            keras.utils.plot_model(gan, tmp_path / "gan.png")
    with pytest.raises(InputError, match="a quantized GAN cannot train"):
        gan.quantize("int8")


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return PICTURES[4 * index : 4 * index + 4]


def generate():
    while True:
        yield (PICTURES[:4],)


DATA = tf.data.Dataset.from_tensor_slices(PICTURES).batch(4)


@pytest.mark.parametrize(
    ("data", "options", "steps"),
    [
        (PICTURES, {"batch_size": 4, "epochs": 2}, 4),
        (PICTURES[:7], {"batch_size": 4}, 2),
        (PICTURES.astype(np.float64), {}, 1),
        (((PICTURES + 1) * 127.5).astype(np.uint8), {}, 1),
        (tf.constant(PICTURES), {}, 1),
        (DATA, {"epochs": 5, "initial_epoch": 3}, 4),
        (DATA.repeat(), {"steps_per_epoch": 3}, 3),
        (generate, {"steps_per_epoch": 3}, 3),
        (Batches, {"epochs": 2}, 4),
    ],
)
def test_fit_and_evaluate_take_what_keras_takes(data, options, steps):
    gan = small_gan()
    data = data() if callable(data) else data
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*shuffle")  # of what Keras cannot shuffle nobody has asked for that
        gan.fit(data, verbose=0, **options)
    assert int(gan.step) == steps
    limit = options.get("steps_per_epoch")
    logs = gan.evaluate(data, verbose=0, steps=limit, return_dict=True)
    assert dict(zip(gan.metrics_names, gan.evaluate(data, verbose=0, steps=limit), strict=True)).keys() == logs.keys() == LOGGED


def test_what_keras_shuffles_is_shuffled_all_the_same():
    assert not any(map(keeps_order, (PICTURES, [*PICTURES], tf.constant(PICTURES), Batches())))
    with pytest.warns(UserWarning, match="`shuffle=True` was passed, but will be ignored"):  # to whoever has asked for it
        small_gan().fit(DATA, shuffle=True, verbose=0)


def test_a_trial_may_be_cut_short():
    keras.config.set_max_epochs(1)
    try:
        with pytest.warns(UserWarning, match="Limiting epochs to 1"):
            gan, _ = fit(epochs=9)
    finally:
        keras.config.set_max_epochs(None)
    assert int(gan.step) == 2


def test_single_batches():
    gan = small_gan()
    assert gan.train_on_batch(PICTURES, return_dict=True).keys() == gan.test_on_batch(PICTURES, return_dict=True).keys()
    assert int(gan.step) == 1
    expected = pytest.approx(np.asarray(gan(LATENTS)), abs=1e-6)
    for faces in (
        gan.predict_on_batch(LATENTS),
        gan.predict(LATENTS, batch_size=2, verbose=0),
        gan.predict(tf.data.Dataset.from_tensors(LATENTS), verbose=0),
        keras.Model(latents := keras.Input((4,)), gan(latents)).predict(LATENTS, verbose=0),
    ):
        assert faces == expected


@pytest.mark.parametrize(
    "given",
    [
        {"sample_weight": np.ones(8)},
        {"y": LABELS, "class_weight": {0: 1.0, 1: 2.0}},
        {"class_weight": {0: 1.0}},
        {"x": tf.data.Dataset.from_tensors((PICTURES, LABELS, np.ones(8)))},
    ],
)
def test_weights_are_refused(given):
    with pytest.raises(InputError, match="_weight has no meaning for a GAN, in which all pictures weigh the same"):
        small_gan().fit(**{"x": PICTURES, "verbose": 0, **given})


def test_labels_are_ignored_aloud():
    """Folders of pictures often come with them (`keras.utils.image_dataset_from_directory`)."""
    gan = make_small_gan(run_eagerly=True)
    for call in (gan.fit, gan.evaluate):
        with pytest.warns(UserWarning, match=r"labels \(y\) are ignored"):
            call(tf.data.Dataset.from_tensors((PICTURES, LABELS)), verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_pictures_must_be_given_and_be_one_array(method):
    gan = small_gan()
    with pytest.raises((InputError, TypeError), match=r"x is missing|required positional argument: 'x'|argument: 'x'"):
        getattr(gan, method)()
    if method in ("fit", "evaluate"):
        with pytest.raises(InputError, match="not a dict"):
            getattr(gan, method)({"image": PICTURES}, verbose=0)


def networks(last="tanh", logit=None, **options):
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(192, activation=last, **options), layers.Reshape((8, 8, 3))])
    if last == "sigmoid":
        generator.add(layers.Activation("sigmoid"))
    return generator, keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1, activation=logit)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last": "sigmoid"}, r"end it in tanh, or add Rescaling\(2, -1\)"),
        ({"logit": "sigmoid"}, "a GAN takes its logits"),
        ({"kernel_regularizer": "l2"}, "the generator has regularizers"),
        ({"activity_regularizer": "l2"}, "the generator has regularizers"),
    ],
)
def test_networks_that_would_train_on_nonsense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ganime.GAN(*networks(**options))


def test_networks_of_unknown_shapes_are_refused_with_a_remedy():
    class Drawing(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.inner = networks()[0]

        def call(self, latents, training=False):
            return self.inner(latents, training=training)

    generator, discriminator = Drawing(), networks()[1]
    for wrong in ((generator, discriminator), (networks()[0], keras.Sequential([layers.Flatten(), layers.Dense(1)]))):
        with pytest.raises(InputError, match=r"put keras\.Sequential.*(gener|discrimin)ator\]\) in its place"):
            ganime.GAN(*wrong)
    gan = ganime.GAN(keras.Sequential([keras.Input((4,)), generator]), discriminator)
    gan.compile(run_eagerly=True)
    gan.fit(PICTURES, verbose=0)
    assert gan(LATENTS).shape == (3, 8, 8, 3)


def test_frozen_layers_stay_as_they_are():
    gan = ganime.GAN(*networks())
    gan.discriminator.trainable = False
    gan.compile(run_eagerly=True)
    before, drawing = gan.discriminator.get_weights(), gan.generator.get_weights()
    gan.fit(PICTURES, verbose=0)
    assert same(before, gan.discriminator.get_weights()) and not same(drawing, gan.generator.get_weights())
