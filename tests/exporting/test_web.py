"""The web page: its JavaScript against Python, by V8; its files; what is refused. `benchmarks/page.py` drives a browser."""

import base64
import gzip
import io
import json
import re
import urllib.error
import urllib.request
from threading import Thread

import numpy as np
import pytest
from py_mini_racer import MiniRacer

from ganime.errors import InputError
from ganime.exporting import web
from ganime.exporting.serve import PageServer
from ganime.generation import latents
from ganime.generation.chain import Chain, Layer
from ganime.generation.edits import Edits
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.generation.walks import _spread
from ganime.pictures.grids import enlarge

MODULES = ("seeds.js", "latents.js", "enlarge.js", "pace.js", "address.js")


@pytest.fixture(scope="module")
def call():
    """Calls a function of a module of the page; arrays become Float32Arrays."""
    engine = MiniRacer()
    for name in MODULES:
        engine.eval(f"{{ {web.join_modules(name)}; Object.assign(globalThis, modules['{name}']); }}")

    def call(expression, **values):
        function = f"(({', '.join(values)}) => {expression})({', '.join(map(_write, values.values()))})"
        return json.loads(engine.eval(f"JSON.stringify({function})"))  # exact: a number is written with all its digits

    return call


def _write(value):
    if isinstance(value, np.ndarray):
        kind = {"float32": "Float32Array", "uint8": "Uint8ClampedArray"}[str(value.dtype)]
        return f"new {kind}({json.dumps(value.ravel().tolist())})"
    return json.dumps(value)


def test_a_seed_is_the_same_latent_as_in_numpy(call):
    """A thousand, to the bit: V8 and the C library may round a double's logarithm differently, which float32 hides."""
    seeds = [0, 1, 2**31, 2**32 - 1, *np.random.RandomState(0).randint(0, 2**32, 996, np.uint64).tolist()]
    drawn = call("seeds.map((seed) => [...fromSeed(seed, 128)])", seeds=seeds)
    assert np.array_equal(np.float32(drawn), latents.from_seeds(seeds, 128))


@pytest.mark.parametrize("size", [1, 7, 700])  # odd; more than one round of the twister
def test_a_latent_of_any_size_and_truncation(call, size):
    drawn = call("[...fromSeed(123, size, 0.7)]", size=size)
    assert np.array_equal(np.float32(drawn), latents.from_seeds([123], size, 0.7)[0])


def test_mixing_is_as_in_python(call):
    a, b, c, d = latents.from_seeds(range(4), 128)
    for share in (0, 0.2, 0.5, 1):
        drawn = call("[...slerp(a, b, share)]", a=a, b=b, share=share)
        assert np.allclose(drawn, latents.slerp(a, b, np.array([share]))[0], atol=1e-6)
    assert np.allclose(call("[...slerp(a, b, 0.25)]", a=a, b=-a), latents.slerp(a, -a, np.array([0.25]))[0], atol=1e-6)
    rows = (latents.slerp(*pair, np.array([0.3]))[0] for pair in ((a, b), (c, d)))
    drawn = call("[...mixture([a, b, c, d], [0.3, 0.6])]", a=a, b=b, c=c, d=d)
    assert np.allclose(drawn, latents.slerp(*rows, np.array([0.6]))[0], atol=1e-6)


@pytest.mark.parametrize("strengths", [{"eye-size": 1.5}, {"eye-size": -3, "fringe": 2.2}, {"fringe": 4}])
def test_edits_are_as_in_python(call, strengths):
    directions, bends = np.random.RandomState(0).normal(0, 1, (2, 2, 16)).astype(np.float32)
    edits = Edits(["fringe", "eye-size"], directions, bends, np.ones(2), np.zeros(2))
    latent = latents.from_seeds([7], 16)
    known = "{ edits: names, directions, bends }"
    moved = call(
        f"[...applyEdits(latent, strengths, {known})]",
        latent=latent[0],
        strengths=strengths,
        names=edits.names,
        directions=directions,
        bends=bends,
    )
    assert np.allclose(moved, edits.apply(latent, strengths)[0], atol=1e-5)


def test_latents_are_written_as_numpy_writes_them(call):
    points = latents.from_seeds(range(3), 128)
    expected = io.BytesIO()
    np.save(expected, points)
    assert bytes(call("[...writeNpy([0, 1, 2].map((seed) => fromSeed(seed, 128)))]")) == expected.getvalue()


@pytest.mark.parametrize("change", [np.float32, np.float64, np.asfortranarray, ">f4"])
def test_latents_are_read_as_python_reads_them(call, change):
    points = latents.from_seeds(range(3), 5)
    array = points.astype(change) if isinstance(change, str) else change(points)
    file = io.BytesIO()
    np.save(file, array)
    read = "readNpy(bytes.buffer, 5).map((latent) => [...latent])"
    if change == ">f4":
        with pytest.raises(Exception, match="it must hold float32"):
            call(read, bytes=np.frombuffer(file.getvalue(), np.uint8))
        return
    assert np.array_equal(np.float32(call(read, bytes=np.frombuffer(file.getvalue(), np.uint8))), points)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda data: data[:-1], "it is damaged"),
        (lambda data: data[:11], "no .npy file"),
        (lambda data: b"x" + data[1:], "no .npy file"),
        (lambda data: data[:-4] + np.float32(np.nan).tobytes(), "its latent 1, counted from 0"),
        (lambda data: data.replace(b"(2, 5)", b"(5, 2)"), "have 2 numbers; those of this generator have 5"),
        (lambda data: data.replace(b"<f4", b"<i4"), "it must hold float32"),
    ],
)
def test_latents_that_are_none_are_refused(call, damage, message):
    file = io.BytesIO()
    np.save(file, latents.from_seeds(range(2), 5))
    with pytest.raises(Exception, match=message):
        call("readNpy(bytes.buffer, 5)", bytes=np.frombuffer(damage(file.getvalue()), np.uint8))


@pytest.mark.parametrize("scale", [1, 2, 3, 16])
@pytest.mark.parametrize("sharp", [True, False])
def test_pictures_are_enlarged_as_by_python(call, scale, sharp):
    picture = np.random.RandomState(0).randint(0, 256, (9, 11, 4)).astype(np.uint8)
    picture[..., 3] = 255
    drawn = call("[...enlarge(picture, 11, 9, scale, sharp)]", picture=picture, scale=scale, sharp=sharp)
    drawn = np.reshape(drawn, (9 * scale, 11 * scale, 4))
    assert np.array_equal(drawn[..., :3], enlarge(picture[None, ..., :3], scale, sharp)[0]) and (drawn[..., 3] == 255).all()


def test_a_walk_keeps_an_even_pace(call):
    """Places at equal times are those at which Python's walk puts its frames; from waypoint to waypoint."""
    distances = [1.0, 3.0, 0.5, 0.0, 2.0]
    places = call("[0, 0.1, 0.25, 0.5, 0.75, 0.9, 1].map(pace(distances))", distances=distances)
    assert places[0] == pytest.approx(0, abs=1e-5) and places[-1] == pytest.approx(1, abs=1e-5) and (np.diff(places) > 0).all()
    lengths = np.array(distances) ** 1.5 + 1e-6
    count = 7
    times = [(lengths[0] + lengths[1] * i / count) / lengths.sum() for i in range(1, count)]
    places = np.array(call("times.map(pace(distances))", times=times, distances=distances))
    assert np.allclose(5 * places - 1, _spread(*lengths[:3], count), atol=0.01)


LATENT = "_" + np.float32([0.5, -1, 2e-20, 3]).tobytes().hex()


@pytest.mark.parametrize("text", ["7~1", "4294967295~0.85", "0~1~eye-size:1.5~fringe:-2", f"{LATENT}~0.7"])
def test_a_face_is_read_from_an_address_as_it_was_written(call, text):
    known = "{ edits: ['eye-size', 'fringe'], latentSize: 4 }"
    assert call(f"writeFace(readFace(text, {known}))", text=text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "-1",
        "4294967296",
        "7~2",
        "7~x",
        "7~1~nose:1",
        "7~1~fringe:9",
        "7~1~fringe",
        LATENT[:-2],
        "_0000c07f" + 24 * "0",
    ],
)
def test_what_is_no_face_is_left_out(call, text):
    assert call("readFace(text, { edits: ['fringe'], latentSize: 4 })", text=text) is None


@pytest.fixture
def page():
    """The files of a page of a small generator."""
    return web.page_files(small_chain(), {"name": "tiny", "license": "MIT"})


def small_chain():
    sizes = [(4, 8, 6), (4, 6, 8), (4, 4, 6), (4, 3, 4)]
    random = np.random.RandomState(0)
    layers = [
        Layer(random.normal(0, 0.1, (side, side, out, into)).astype(np.float32), np.zeros(out, np.float32), 1 + (i > 0), 0.2)
        for i, (side, out, into) in enumerate(sizes)
    ]
    return Chain((*layers[:-1], Layer(layers[-1].kernel, layers[-1].bias, 2, None)))


def test_a_page_asks_no_other_host(page):
    text = b"".join(page[name] for name in page if name.endswith((".html", ".css", ".js"))).decode()
    hosts = {*re.findall(r"https?://([\w.-]+)", text)}
    assert hosts <= {"www.w3.org", "github.com", "arxiv.org"}  # a namespace, and comments
    policy = re.search(r'content="(default-src [^"]+)"', page["index.html"].decode())[1]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "'unsafe-eval'" not in policy


def test_a_page_in_one_file_holds_all_files(page):
    joined = web.join_files(page).decode()
    blocks = dict(re.findall(r'<script type="application/gzip" data-file="([\w.]+)">([\w+/=]+)</script>', joined))
    assert blocks.keys() == {"worker.js", "kernel.wasm", "generator.safetensors"}
    assert all(gzip.decompress(base64.b64decode(block)) == page[name] for name, block in blocks.items())
    assert not re.search(r'(src|href)="(?!#|data:)', joined)
    for kind in ("script", "style"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", joined, re.DOTALL)
        assert f"{kind}-src {web._source(content)}" in joined


def test_a_page_is_written_whole_and_over_a_page_only(tmp_path):
    def write(name, about):
        with web.place(tmp_path / name) as place:
            web.write(place, small_chain(), {"name": about}, None)

    write("page", "one")
    before = {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()}
    write("page", "another")
    after = {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()}
    assert before.keys() == after.keys() == {*web.NAMES}
    assert before[web.MODEL] != after[web.MODEL]
    (tmp_path / "page" / "mine.txt").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text("mine")
    for name in ("page", "other"):
        there = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        with pytest.raises(InputError):
            write(name, "a third")
        assert {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} == there
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "page"]


@pytest.mark.parametrize("name", ["page", "page.html"])
def test_a_written_page_makes_the_generators_faces(tmp_path, name):
    chain, points = small_chain(), latents.from_seeds(range(3), small_chain().latent_size)
    with web.place(tmp_path / name) as place:
        web.write(place, chain, {"name": "tiny"}, None)
    assert np.abs(web.run(tmp_path / name, points) - NumpyGenerator(chain)(points)).max() < 1e-5


def test_the_server_gives_a_page_to_this_computer_only(page):
    with PageServer(page) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        with urllib.request.urlopen(server.address) as answer:
            assert answer.read() == page["index.html"] and answer.headers["Content-Type"].startswith("text/html")
        with urllib.request.urlopen(server.address + "kernel.wasm") as answer:
            assert answer.read() == page["kernel.wasm"] and answer.headers["Content-Type"] == "application/wasm"
            assert answer.headers["Cache-Control"] == "no-store"
        for path, host, code in (("../setup.cfg", None, 404), ("nothing.js", None, 404), ("", "evil.example", 403)):
            request = urllib.request.Request(server.address + path, headers={"Host": host} if host else {})
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(request)
            assert error.value.code == code
        server.shutdown()
