import json
import shutil
import sys

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import ganime
from ganime.errors import GanimeError, InputError
from ganime.exporting import litert, onnx, saved_model, web
from ganime.exporting.export import export, read_generator
from ganime.networks import build_generator
from ganime.training.engine import DTYPE_POLICIES, dtype_policy
from tests.generation.test_sampling import trained

NAMES = {"onnx": "g.onnx", "litert": "g.tflite", "saved-model": "g", "web": "page"}
MODULES = {"onnx": onnx, "litert": litert, "saved-model": saved_model, "web": web}


def build(**options):
    return trained(build_generator(**{"image_size": 32, "latent_size": 8, "widths": (16, 8, 8), **options}))


@pytest.fixture(scope="module")
def generator_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("generator") / "g.keras"
    build(bias=True).save(path)
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory, generator_path):
    """Copies an export of a kind, made once, to a place."""
    folder = tmp_path_factory.mktemp("exported")

    def copy(kind, place):
        made = folder / NAMES[kind]
        if not made.exists():
            export(generator_path, kind, made)
        return shutil.copytree(made, place) if made.is_dir() else shutil.copy(made, place)

    return copy


@pytest.mark.parametrize("kind", NAMES)
def test_each_format_makes_what_keras_makes_for_any_batch(tmp_path, generator_path, kind):
    written = export(generator_path, kind, tmp_path / NAMES[kind], "float32")
    latents = ganime.from_seeds(range(100, 105), 8)
    images = np.asarray(keras.models.load_model(generator_path)(latents, training=False))
    assert images.std() > 0.2
    for count in (1, 5):
        assert MODULES[kind].run(written.path, latents[:count]) == pytest.approx(images[:count], abs=1e-5)
    assert written.difference < 1e-5
    assert written.size == sum(file.stat().st_size for file in [written.path, *written.path.rglob("*")] if file.is_file())
    assert [*tmp_path.iterdir()] == [written.path]


@pytest.mark.parametrize(
    "options",
    [{"slope": 0.2, "image_size": 48, "widths": (9, 7, 5)}, {"image_size": 64, "widths": (4,)}, {"depth": 2, "widths": (7, 6)}],
)
@pytest.mark.parametrize("kind", ["onnx", "litert", "saved-model"])
def test_generators_of_all_kinds_are_exported(tmp_path, kind, options):
    assert export(build(**options), kind, tmp_path / NAMES[kind]).difference < 1e-5


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_what_was_trained_in_16_bits_computes_in_32(tmp_path, precision):
    with dtype_policy(DTYPE_POLICIES[precision]):
        generator = build()
    generator.save(tmp_path / "g.keras")
    assert export(tmp_path / "g.keras", "onnx", tmp_path / "g.onnx").difference < 1e-5
    latents = ganime.from_seeds(range(4), 8)
    rounded = np.asarray(generator(latents, training=False))
    assert 1e-4 < np.abs(onnx.run(tmp_path / "g.onnx", latents) - rounded).max() < 0.1


@pytest.mark.parametrize(("kind", "weights"), [("onnx", "int8"), ("litert", "float16"), ("web", "int8")])
def test_smaller_weights_make_smaller_files_of_nearly_the_same_faces(tmp_path, kind, weights):
    generator = build(widths=(64, 32, 16))
    whole = export(generator, kind, tmp_path / NAMES[kind], "float32")
    small = export(generator, kind, tmp_path / f"small-{NAMES[kind]}", weights)
    assert small.size < whole.size - 50_000
    assert 1e-5 < small.difference < 0.1


def test_files_say_what_they_are(tmp_path, generator_path):
    facts = {"name": "g", "license": "CC-BY-4.0", "ganime": ganime.__version__}
    import onnxruntime

    export(generator_path, "onnx", tmp_path / "g.onnx", license_name="CC-BY-4.0")
    found = onnxruntime.InferenceSession(tmp_path / "g.onnx").get_modelmeta().custom_metadata_map
    assert found.items() >= facts.items()
    assert (len(found["sha256"]), "RandomState(seed).standard_normal(8)" in found["seeds"]) == (64, True)
    export(generator_path, "saved-model", tmp_path / "g", license_name="CC-BY-4.0")
    assert json.loads((tmp_path / "g" / "assets.extra" / "ganime.json").read_text()) == found
    export(generator_path, "litert", tmp_path / "g.tflite", license_name="CC-BY-4.0")
    assert json.dumps(found["seeds"]).encode() in (tmp_path / "g.tflite").read_bytes()
    signature = Interpreter(str(tmp_path / "g.tflite")).get_signature_list()["serving_default"]
    assert signature == {"inputs": ["latents"], "outputs": ["images"]}


@pytest.mark.parametrize("kind", NAMES)
def test_a_file_that_makes_other_images_is_not_kept(tmp_path, generator_path, exported, kind, monkeypatch):
    path = exported(kind, tmp_path / NAMES[kind])
    before = {file: file.read_bytes() for file in [path, *path.rglob("*")] if file.is_file()}
    run = MODULES[kind].run
    monkeypatch.setattr(MODULES[kind], "run", lambda path, latents: run(path, latents) + 2e-4)
    with pytest.raises(GanimeError, match=r"differ by up to 0\.0002, 0\.0001 is allowed"):
        export(generator_path, kind, path)
    assert before == {file: file.read_bytes() for file in [path, *path.rglob("*")] if file.is_file()}
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(("kind", "name"), [("saved-model", "variables/variables.index"), ("web", "style.css")])
def test_an_export_replaces_an_earlier_one(tmp_path, generator_path, exported, kind, name):
    place = exported(kind, tmp_path / NAMES[kind])
    before = {*place.rglob("*")}
    (place / name).write_bytes(b"")
    export(generator_path, kind, place)
    assert {*place.rglob("*")} == before and (place / name).stat().st_size


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("saved-model", "variables/notes.txt"),
        ("saved-model", "variables/variables.data-00000-of-00001.bak"),
        ("saved-model", "assets.extra/tf_serving_warmup_requests"),
        ("saved-model", "assets/vocabulary.txt"),
        ("saved-model", "mine\x1b[31m.txt"),
        ("web", "style.css/mine.css"),
        ("web", "favicon.ico"),
    ],
)
def test_no_other_programs_file_is_replaced_at_any_depth(tmp_path, generator_path, exported, kind, name):
    place = exported(kind, tmp_path / NAMES[kind])
    if "style.css/" in name:
        (place / "style.css").unlink()
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text("mine")
    with pytest.raises(InputError, match=f"{place.name} holds .*, which would be lost; name another folder") as error:
        export(generator_path, kind, place)
    assert str(error.value).isprintable() and (place / name).read_text() == "mine"


def test_another_programs_folder_is_not_replaced(tmp_path, generator_path):
    keras.models.load_model(generator_path).export(str(tmp_path / "g"), verbose=False)
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "generator.safetensors").write_bytes(bytes(100))
    for kind in ("saved-model", "web"):
        with pytest.raises(InputError, match="which would be lost; name another folder"):
            export(generator_path, kind, tmp_path / NAMES[kind])


def test_what_draws_nothing_is_not_exported(tmp_path):
    generator = build()
    generator.layers[3].gamma.assign(generator.layers[3].gamma * 1e30)
    generator.layers[6].gamma.assign(generator.layers[6].gamma * 1e30)
    generator.save(tmp_path / "g.keras")
    with pytest.raises(InputError, match="its images are not finite numbers"):
        read_generator(tmp_path / "g.keras")
    with pytest.raises(InputError, match="its images are not finite numbers"):
        export(generator, "web", tmp_path / "page")
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_a_generator_in_memory_in_16_bits_goes_to_every_format(tmp_path, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        generator = build()
    finally:
        keras.config.set_dtype_policy(before)
    for kind, weights in (("web", None), ("litert", "float16"), ("onnx", "int8")):
        assert export(generator, kind, tmp_path / NAMES[kind], weights).difference < 0.1


def test_edits_of_no_use_are_said(tmp_path, generator_path, caplog):
    path = tmp_path / "g.keras"
    path.write_bytes(generator_path.read_bytes())
    export(path, "web", tmp_path / "page")
    assert not caplog.messages
    (tmp_path / "g.edits.npz").write_bytes(b"damaged")
    export(path, "web", tmp_path / "page")
    assert "without edits" in caplog.messages[0] and "damaged" in caplog.messages[0]


@pytest.mark.parametrize(
    ("source", "message"), [(3, "a Keras model, the path of a .keras file or None, not int"), ("gan", "not a whole GAN")]
)
def test_what_is_no_generator_is_refused(tmp_path, source, message):
    if source == "gan":
        source = ganime.GAN(build(), ganime.build_discriminator(32, widths=(4,)))
    with pytest.raises(InputError, match=message):
        export(source, "onnx", tmp_path / "g.onnx")


def test_a_place_that_cannot_be_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.onnx").mkdir()
    for kind, place, message in (("onnx", "g.onnx", "is a folder"), ("web", ".", "is the current folder")):
        with pytest.raises(InputError, match=message):
            export("none.keras", kind, place)


def test_a_generator_of_other_layers_is_refused(tmp_path):
    other = keras.Sequential([keras.Input((8,)), keras.layers.Dense(12), keras.layers.Reshape((2, 2, 3))])
    with pytest.raises(InputError, match="not a chain of transposed convolutions"):
        export(other, "onnx", tmp_path / "g.onnx")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("kind", "name", "weights", "message"),
    [
        ("tfjs", "g", None, "format 'tfjs' is not one of onnx, litert"),
        ("onnx", "g.tflite", None, "must end in .onnx"),
        ("onnx", "g.onnx", "int4", "weights 'int4' are not one of"),
        ("litert", "g.tflite", "int8", "litert has weights of float32 or float16"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(tmp_path, kind, name, weights, message):
    with pytest.raises(InputError, match=message):
        export(None, kind, tmp_path / name, weights)


@pytest.mark.parametrize(
    ("kind", "package"), [("onnx", "onnx"), ("onnx", "onnxruntime"), ("litert", "ai_edge_litert.interpreter")]
)
def test_a_missing_runtime_is_named(tmp_path, generator_path, kind, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(GanimeError, match=f"pip install .*{package.partition('.')[0].replace('_', '-')}"):
        export(generator_path, kind, tmp_path / NAMES[kind])
    assert not [*tmp_path.iterdir()]
