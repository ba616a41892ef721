"""Exported generators with labels: what files say of them, and the page that lets one choose."""

import dataclasses
import json

import h5py
import numpy as np
import pytest
from py_mini_racer import MiniRacer

import ganime
from ganime.exporting import web
from ganime.exporting.card import Subject, model_card
from ganime.exporting.export import export
from ganime.exporting.facts import describe
from ganime.generation.chain import read_chain
from ganime.generation.conditions import between, make_latents
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.networks import build_generator
from ganime.pictures.grids import to_uint8
from ganime.recipes import get_recipe
from ganime.run import Run
from tests.exporting.test_web_model import Worker
from tests.exporting.test_web_scripts import BROWSER
from tests.generation.test_sampling import trained

NAMES = ("blonde", "日本, ü", "a b")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("labelled") / "g.keras"
    trained(build_generator(32, 8, (8, 8, 8), labels=NAMES)).save(path)
    return path


def test_a_file_says_which_weights_stand_for_which_label(path, tmp_path):
    import onnxruntime

    written = export(path, "onnx", tmp_path / "g.onnx")
    session = onnxruntime.InferenceSession(written.path)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["labels"]) == [*NAMES]
    assert "standard_normal(8) as float32, and behind it a weight for each of 3 labels" in about["seeds"]
    latents = make_latents(NumpyGenerator(path), [7], labels="a b")
    (images,) = session.run(["images"], {"latents": latents})
    assert np.abs(to_uint8(images).astype(int) - ganime.sample(ganime.load_generator(path), [7], labels="a b")).max() <= 1


def test_the_page_draws_faces_of_a_label(path, tmp_path):
    written = export(path, "web", tmp_path / "page", weights="float32")
    answer = Worker("javascript").open((written.path / "generator.safetensors").read_bytes())
    assert answer["type"] == "ready" and answer["labels"] == [*NAMES] and answer["latentSize"] == 11
    assert "labels" not in answer["facts"] and "3 labels" in answer["facts"]["seeds"]
    plain = tmp_path / "plain.keras"
    trained(build_generator(32, 8, (8, 8, 8))).save(plain)
    files = web.page_files(read_chain(plain), describe(plain, 8))
    assert Worker("javascript").open(files["generator.safetensors"])["labels"] == []


@pytest.fixture(scope="module")
def call():
    engine = MiniRacer()
    engine.eval(BROWSER)
    for name in ("latents.js", "address.js"):
        engine.eval(f"{{ {web.join_modules(name)}; Object.assign(globalThis, modules['{name}']); }}")
    engine.eval(f"const engine = {{ edits: [], labels: {json.dumps(NAMES)}, latentSize: 11 }};")
    return lambda expression: json.loads(engine.eval(f"JSON.stringify({expression})"))


def test_the_page_makes_the_latents_of_python(call, path):
    generator = NumpyGenerator(path)
    for label, name in enumerate(NAMES):
        drawn = call(f"[...latentOf({{ seed: 5, truncation: 0.7, label: {label}, edits: {{}} }}, engine)]")
        assert np.array_equal(np.float32(drawn), make_latents(generator, [5], 0.7, name)[0])
    one, other = make_latents(generator, [5, 6], labels=["blonde", "a b"])
    corners = "[[5, 0], [6, 2]].map(([seed, label]) => latentOf({ seed, truncation: 1, label, edits: {} }, engine))"
    assert np.allclose(call(f"[...mixture({corners}, [0.3, 0], 3)]"), between(one, other, np.array([0.3]), 3)[0], atol=1e-6)
    whole = "_" + one.tobytes().hex()
    short = call(f"[...latentOf(readFace('{whole}~0.5', engine), engine)]")
    assert np.array_equal(np.float32(short), np.r_[one[:8] * np.float32(0.5), one[8:]])


def test_a_link_names_the_label(call):
    assert call("writeFace(readFace('7~0.5~label:2', engine))") == "7~0.5~label:2"
    assert call("describe(readFace('7~1~label:1', engine), engine)") == "Seed 7, 日本, ü"
    assert call("readFace('7', engine)")["label"] == 0
    for weights, label in (([0, 1, 0], 1), ([0.5, 0.5, 0], None), ([0, 0, 0], None), ([0, 0.5, 0], None)):
        latent = "_" + np.float32([0.1] * 8 + weights).tobytes().hex()
        assert call(f"[labelOf(readFace('{latent}', engine), engine)]") == [label]
    for wrong in ("label:3", "label:x", "label:", "label:-1"):
        state, lacks = call(f"readState('#face=7~1~{wrong}', engine)")
        assert state["face"]["label"] == 0 and "this generator does not have" in lacks
    assert "this generator does not have" in call("readState('#face=7~1~label:1', { edits: [], latentSize: 8 })")[1]


def test_the_card_lists_the_labels_and_shows_how_to_choose_one(path, tmp_path):
    run, chain = Run(tmp_path / "own"), read_chain(path)
    recipe = dataclasses.asdict(get_recipe("default").override(labels=NAMES))
    data = {"name": "faces", "pictures": 9, "fingerprint": "f00", "labels": "f11"}
    run.open({"recipe": recipe, "seed": 3, "data": data, "versions": {"ganime": "0.1.0"}})
    run.generator_path.write_bytes(path.read_bytes())
    run.state_path.parent.mkdir()
    with h5py.File(run.state_path, "w") as state:
        state["vars/0"] = 5
    card = model_card(Subject(run, chain, describe(run.generator_path, 11, labels=chain.labels)))
    for words in (
        "| labels | blonde, 日本, ü, a b |",
        "--recipe default --labels LABELS --steps",
        "the last 3 are the labels' weights",
    ):
        assert words in card
    code = card.split("```python\n")[1]  # with Keras alone
    names = {}
    exec(code[code.index("latents = ") : code.index("images = ")], {"np": np}, names)
    assert np.array_equal(names["latents"], make_latents(NumpyGenerator(path), range(4), labels="blonde"))
