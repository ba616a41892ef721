"""What is taken from a `.keras` file: all of it as it was saved or, by both ways to load it, none and a line that says why."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from ganime import GAN
from ganime.errors import InputError
from ganime.generation import latents, sampling
from ganime.generation.archive import FREE, read_archive
from ganime.generation.chain import Unsupported
from ganime.generation.edits import Edits, edits_path
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.networks import build_discriminator, build_generator
from ganime.training.engine import dtype_policy
from tests.generation.test_sampling import trained

ESCAPE = "\x1b[31mred\x1b[0m"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a generator's file."""
    path = tmp_path_factory.mktemp("whole") / "g.keras"
    trained(build_generator(32, 8, (8, 8, 8))).save(path)
    return path.read_bytes()


def load(path):
    """The image that Keras makes and the one that NumPy makes, or the one line that each says."""
    outcomes = []
    for make in (sampling.load_generator, NumpyGenerator):
        try:
            outcomes.append(np.asarray(make(path)(latents.from_seeds([0], 8))))
        except InputError as error:
            line = str(error)
            assert (path.name in line or "finite" in line) and line.isprintable() and len(line) < 400, line
            outcomes.append(line.partition(path.name)[2].strip(" :"))
        except Unsupported:
            outcomes.append("Unsupported")
    return outcomes


def assert_refused(path, message):
    lines = load(path)
    assert all(message in str(line) for line in lines), lines


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, files, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def change_config(path, whole, change):
    files = members(whole)
    config = json.loads(files["config.json"])
    change(config)
    pack(path, {**files, "config.json": json.dumps(config)})


def change_weights(path, whole, change):
    files = members(whole)
    content = io.BytesIO(files["model.weights.h5"])
    with h5py.File(content, "a") as weights:
        change(weights)
    pack(path, {**files, "model.weights.h5": content.getvalue()})


def places(data):
    """Where a file can be hit: ZIP's headers of all kinds, and what lies between them."""
    central, end = data.index(b"PK\1\2"), data.rindex(b"PK\5\6")
    headers = {"local": 0, "local flags": 6, "local name": 30, "central": central, "end": end, "entries": end + 10}
    headers |= {"central " + name: central + at for name, at in {"flags": 8, "method": 10, "size": 24, "place": 42}.items()}
    contents = {"date": central + 13, "crc": central + 16, "start": end + 16}
    return headers | contents | {name: data.index(text) for name, text in (("config", b"batch_shape"), ("weights", b"\x89HDF"))}


def test_a_file_that_was_hit_anywhere_makes_the_same_faces_or_none(tmp_path, whole):
    path = tmp_path / "g.keras"
    path.write_bytes(whole)
    before = load(path)
    told = {}
    for name, place in {**places(whole), "last weights": len(whole) // 2}.items():
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        told[name] = load(path)
    for keras_route, numpy_route in told.values():
        if isinstance(numpy_route, str):
            assert keras_route == numpy_route and ("damaged" in numpy_route or "encrypted" in numpy_route)
        else:
            assert np.array_equal(keras_route, before[0]) and np.array_equal(numpy_route, before[1])
    same = {name for name, (_, image) in told.items() if not isinstance(image, str)}
    assert {"date"} <= same and not same & {"config", "weights", "last weights", "local", "central", "crc"}


@pytest.mark.parametrize("left", [0, 1, 30, 30_000, -1])
def test_a_file_that_was_cut_short_is_damaged(tmp_path, whole, left):
    path = tmp_path / "g.keras"
    path.write_bytes(whole[:left])
    assert_refused(path, {0: "is empty", 1: "is not a .keras file"}.get(left, "is damaged: it was cut short"))


def test_what_is_no_keras_file_is_named(tmp_path, whole):
    path = tmp_path / "g.keras"
    path.write_text("no archive at all")
    assert_refused(path, "is not a .keras file")
    path.write_bytes(members(whole)["model.weights.h5"])
    assert_refused(path, "is HDF5, not a .keras file: load it with Keras")
    for left_out in ("config.json", "model.weights.h5"):
        pack(path, {name: content for name, content in members(whole).items() if name != left_out})
        assert_refused(path, f"holds no {left_out}")
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"g\.keras is a folder, not a \.keras file"):
        sampling.load_generator(path)


def test_what_is_compressed_and_of_another_name_is_as_good(tmp_path, whole):
    pack(tmp_path / "g.zip", members(whole), zipfile.ZIP_DEFLATED)
    (tmp_path / "g.keras").write_bytes(whole)
    for image, other in zip(load(tmp_path / "g.zip"), load(tmp_path / "g.keras"), strict=True):
        assert np.array_equal(image, other)


def test_sizes_are_bounded(tmp_path, whole):
    path, files = tmp_path / "g.keras", members(whole)
    pack(path, {**files, "assets/x": bytes(FREE)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < FREE // 100
    assert_refused(path, "is refused: it would unpack to 67 MB")
    pack(path, files, zipfile.ZIP_BZIP2)
    assert_refused(path, "compressed in a way that Keras does not use")
    change_weights(path, whole, lambda weights: weights.create_dataset("x", (FREE,), np.uint8, chunks=(2**16,)))
    assert_refused(path, "is refused: it would unpack to 67 MB")
    pack(path, {**files, "config.json": json.dumps({"x": "x" * 2**23})})
    assert_refused(path, "is refused: its config.json has 8 MB")


def test_a_member_that_is_more_than_it_says_is_damaged(tmp_path, whole):
    path = tmp_path / "g.keras"
    pack(path, {"x": bytes(100_000), **members(whole)}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    size = data.index(b"PK\1\2") + 24
    data[size : size + 4] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    assert_refused(path, "is damaged")


def first_convolution(config):
    return next(layer["config"] for layer in config["config"]["layers"] if layer["class_name"] == "Conv2DTranspose")


@pytest.mark.parametrize(
    "config, message",
    [
        ("[" * 99_999, "is damaged: its config.json"),
        ("{}}", "is damaged: its config.json"),
        ("[1]", "is damaged: its config.json"),
        ('{"x": NaN}', "makes no faces: a number in its config.json is not finite"),
        ('{"x": -1e999}', "makes no faces: a number in its config.json is not finite"),
        ('{"x": ' + "9" * 5000 + "}", "is damaged: its config.json"),
        ('{"registered_name": "ganime>GAN"}', "is a whole GAN, without a generator"),
    ],
    ids=["deep", "no JSON", "no object", "nan", "infinite", "long number", "no generator"],
)
def test_a_configuration_that_keras_does_not_write_is_refused(tmp_path, whole, config, message):
    pack(tmp_path / "g.keras", {**members(whole), "config.json": config})
    assert_refused(tmp_path / "g.keras", message)


@pytest.mark.parametrize(
    "link",
    [h5py.SoftLink("/layers"), h5py.ExternalLink("other.h5", "/")],
    ids=["within", "elsewhere"],
)
def test_weights_that_lead_elsewhere_are_refused(tmp_path, whole, link):
    def change(weights):
        weights["x"] = link

    change_weights(tmp_path / "g.keras", whole, change)
    assert_refused(tmp_path / "g.keras", "is refused: its weights lead to other places")


def test_numpy_reads_no_other_network_than_keras(tmp_path, whole):
    for change in (
        lambda config: first_convolution(config).update(filters=9),
        lambda config: first_convolution(config).update(kernel_size=[5, 5]),
        lambda config: first_convolution(config).update(use_bias=True),
        lambda config: config["config"].update(output_layers=["reshape", 0, 0]),
    ):
        change_config(tmp_path / "g.keras", whole, change)
        assert load(tmp_path / "g.keras")[1] == "Unsupported"


class Own(keras.layers.Layer):
    def call(self, x):
        return x


def test_code_is_not_run_and_its_class_is_named(tmp_path, whole):
    path, points = tmp_path / "g.keras", keras.Input((12,))
    for layer, message in (
        (keras.layers.Lambda(lambda x: x), "it holds a Lambda layer"),
        (Own(), "its class Own is not Keras' own; import first what defines and registers it"),
    ):
        keras.Model(points, keras.layers.Reshape((2, 2, 3))(layer(points))).save(path)
        line, _ = load(path)
        assert line.startswith("cannot be loaded as a Keras model") and message in line

    def rename(config):
        config["config"]["layers"][3].update(class_name=ESCAPE, registered_name=ESCAPE, module="mine")

    change_config(path, whole, rename)
    assert r"its class \x1b[31mred\x1b[0m is not" in load(path)[0]
    change_config(path, whole, lambda config: config["config"]["layers"][3].update(class_name=ESCAPE * 1000))
    assert "cannot be loaded as a Keras model" in load(path)[0]


def test_a_whole_gan_is_its_averaged_generator(tmp_path):
    with dtype_policy("mixed_bfloat16"):
        gan = GAN(build_generator(32, 8, (8, 8, 8)), build_discriminator(32, widths=(8, 8, 8)))
    gan.compile()
    trained(gan.averaged_generator)
    gan.save(tmp_path / "gan.keras")
    expected = np.asarray(gan.averaged_generator(latents.from_seeds([0], 8), training=False))
    keras_route, numpy_route = load(tmp_path / "gan.keras")
    assert np.array_equal(keras_route, expected) and np.abs(numpy_route - expected).max() < 1e-5


def test_an_image_of_absurd_size_is_no_face(tmp_path):
    points = keras.Input((3,))
    tall = keras.layers.UpSampling2D((10_000, 1))(keras.layers.Reshape((1, 1, 3))(points))
    keras.Model(points, tall).save(tmp_path / "g.keras")
    assert "is not a generator: it maps (None, 3) to (None, 10000, 1, 3)" in load(tmp_path / "g.keras")[0]


def test_edits_are_read_as_carefully(tmp_path, whole):
    path = tmp_path / "g.keras"
    path.write_bytes(whole)
    place = edits_path(path)
    directions = np.eye(8, dtype=np.float32)[:2]

    def save(names, directions=directions):
        Edits(names, directions, 0 * directions, np.ones(2), np.zeros(2)).save(path)

    save(["eye-size", "fringe"])
    good = place.read_bytes()
    assert Edits.load(path).names == ["eye-size", "fringe"]
    for names in (["eye-size", ESCAPE], ["eye-size", "a" * 99], ["eye-size", "eye-size"], ["eye-size", ""]):
        save(names)
        with pytest.raises(InputError, match=r"g\.edits\.npz is damaged, or another version's; find them with"):
            Edits.load(path)
    for value in (np.nan, 1e300):
        save(["eye-size", "fringe"], directions * np.float64(value))
        with pytest.raises(InputError, match="damaged"):
            Edits.load(path)
    pack(place, {**members(good), "x": bytes(FREE)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="damaged"):
        Edits.load(path)


def test_the_generator_that_ships_is_sound():
    assert read_archive(sampling.SHIPPED).members.keys() == {"metadata.json", "config.json", "model.weights.h5"}
