"""The web page's JavaScript, by V8: against Python, and what it makes of links, files and keys."""

import io
import json
import re

import numpy as np
import pytest
from py_mini_racer import MiniRacer

from ganime.exporting import web
from ganime.generation import latents
from ganime.generation.edits import Edits
from ganime.generation.walks import _spread
from ganime.pictures.grids import enlarge

MODULES = ("seeds.js", "latents.js", "enlarge.js", "pace.js", "address.js", "tray.js", "keys.js", "record.js")
# What a browser has and a bare V8 has not. Its clock is one that only timers and recorded pictures move on.
BROWSER = """
class URLSearchParams {
  constructor(text) { this.parts = new Map((text || "x=").split("&").map((part) => part.split("=").map(decodeURIComponent))); }
  has(name) { return this.parts.has(name); }
  get(name) { return this.parts.get(name) ?? null; }
}
class Blob { constructor(parts) { this.parts = parts; } }
globalThis.performance = { time: 0, now: () => performance.time };
globalThis.setTimeout = (act, milliseconds) => Promise.resolve().then(() => { performance.time += milliseconds; act(); });
"""


@pytest.fixture(scope="module")
def call():
    """Calls a function of a module of the page; arrays become Float32Arrays."""
    engine = MiniRacer()
    engine.eval(BROWSER)
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


@pytest.mark.parametrize("change", [np.float32, np.float64, np.asfortranarray, ">f4", ">f8", "<f2"])
def test_latents_are_read_as_python_reads_them(call, change):
    points = latents.from_seeds(range(3), 5)
    array = points.astype(change) if isinstance(change, str) else change(points)
    file = io.BytesIO()
    np.save(file, array)
    read = "readNpy(bytes.buffer, 5).map((latent) => [...latent])"
    if change == "<f2":
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


TINY = "{ edits: ['fringe'], latentSize: 4 }"
LATENT = "_" + np.float32([0.5, -1, 2e-20, 3]).tobytes().hex()


@pytest.mark.parametrize("text", ["7~1", "4294967295~0.85", "0~1~eye-size:1.5~fringe:-2", f"{LATENT}~0.7"])
def test_a_face_is_read_from_an_address_as_it_was_written(call, text):
    known = "{ edits: ['eye-size', 'fringe'], latentSize: 4 }"
    assert call(f"writeFace(readFace(text, {known}))", text=text) == text


@pytest.mark.parametrize("text", ["", "x", "-1", "4294967296~0.5", LATENT[:-2], "_0000c07f" + 24 * "0"])
def test_what_is_no_face_is_none(call, text):
    assert call(f"readFace(text, {TINY})", text=text) is None


@pytest.mark.parametrize(
    "text, shown",
    [
        ("99~0.7~eye-size:1.5", "99~0.7"),
        ("7~2", "7~1"),
        ("7~-1", "7~0"),
        ("7~x", "7~1"),
        ("7~", "7~1"),
        ("7~0.5~nose:1~fringe:1", "7~0.5~fringe:1"),
        ("7~1~fringe:9", "7~1~fringe:4"),
        ("7~1~fringe", "7~1"),
        (f"{LATENT}~3~nose:1", f"{LATENT}~1"),
    ],
)
def test_of_a_face_that_this_generator_lacks_in_part_the_rest_is_shown_and_it_is_said(call, text, shown):
    read = f"((state, lacks) => [writeFace(state.face), lacks])(...readState('#face=' + text, {TINY}))"
    face, lacks = call(read, text=text)
    assert face == shown and "this generator does not have" in lacks
    assert call(read, text=shown) == [shown, ""]


@pytest.mark.parametrize(
    "text", ["face=abc", "face=", "view=attic", "wall=-1", "kept=7,x", "kept=7,8&mix=0,2", "mix=0,1,1", "at=1"]
)
def test_what_a_link_has_too_much_is_said(call, text):
    state, lacks = call(f"readState('#' + text, {TINY})", text=text)
    assert "this generator does not have" in lacks and "face" not in state and "mix" not in state and state["start"] == 0


def test_a_link_without_anything_lacks_nothing(call):
    assert call(f"readState('', {TINY})") == [{"tray": [], "start": 0}, ""]


def test_the_corners_of_a_mix_stay_at_their_faces_where_one_is_left_out(call):
    state, _ = call(f"readState('#kept=1,x,2,3&mix=3,0', {TINY})")
    assert [state["tray"][corner]["seed"] for corner in state["corners"]] == [3, 1]


def test_a_collection_has_64_faces_and_those_left_out_are_counted(call):
    state, lacks = call(f"readState('#kept=' + seeds.join(','), {TINY})", seeds=[*range(70)])
    assert [face["seed"] for face in state["tray"]] == [*range(64)] and lacks.endswith("; 6 are left out.")
    faces = "(first, last) => Array.from({ length: last - first }, (_, i) => ({ seed: first + i, truncation: 1, edits: {} }))"
    for before, after, kept, left in ((0, 3, 3, 0), (1, 3, 3, 0), (60, 70, 64, 6), (64, 70, 64, 6), (64, 64, 64, 0)):
        collected = call(
            f"((faces) => collect(faces(0, before), faces(before && 1, after)))({faces})", before=before, after=after
        )
        assert [len(collected[0]), collected[1]] == [kept, left]
    assert len(call(f"collect([], [...({faces})(0, 2), ...({faces})(0, 2)])")[0]) == 2


def test_single_keys_work_with_shift_and_caps_lock_but_not_with_others(call):
    pressed = call("""(() => {
        let press;
        globalThis.document = { addEventListener: (_, act) => (press = act) };
        const done = [];
        connectKeys({ c: () => done.push("c"), "?": () => done.push("?") }, () => true);
        const key = (key, more) => press({ key, target: { matches: () => false }, preventDefault() {}, ...more });
        for (const name of ["c", "C", "?", "Shift", undefined]) key(name);
        key("c", { ctrlKey: true });
        key("C", { target: { matches: () => true } });
        return done;
    })()""")
    assert pressed == ["c", "c", "?"]


@pytest.fixture(scope="module")
def record():
    """Calls makeGif or makeVideo with a walk of so many frames of 8 pixels, each of which takes so many milliseconds, and
    gives what the visitor is told, and the times of a video's pictures."""
    engine = MiniRacer()
    engine.eval(BROWSER)
    engine.eval(f"{{ {web.join_modules('record.js')}; Object.assign(globalThis, modules['record.js']); }}")
    engine.eval("""
const noise = (i) => Uint8ClampedArray.from({ length: 256 }, (_, k) => (k % 4 === 3 ? 255 : ((i * 256 + k) * 7919) % 251));
let takes, shown;
const context = { drawImage() { performance.time += takes; shown.push(performance.time); } };
const document = { createElement: () => ({ getContext: () => context, captureStream() {} }) };
class MediaRecorder {
  static isTypeSupported() { return true; }
  start() { this.began = performance.time; }
  pause() { shown.push(performance.time); }
  stop() { this.onstop(); }
}
async function tell(make, count, size, milliseconds, most) {
  const said = [];
  [takes, shown, performance.time] = [milliseconds, [], 0];
  const walk = { countFrames: () => count, async *frames() { for (let i = 0; i < count; i++) yield noise(i); } };
  const page = { width: 8, height: 8, paint() {} };
  let made = null;
  try {
    made = await make(walk, page, size, (words) => said.push(words) < most);
  } catch (error) {
    said.push(error.message);
  }
  return JSON.stringify([said, made !== null, shown]);
}
""")

    def tell(make, count, scale=1, takes=0, most=10**6):
        promise = engine.eval(f"tell({make}, {count}, {{ scale: {scale}, sharp: false }}, {takes}, {most})")
        return json.loads(promise.get(timeout=20))

    return tell


@pytest.mark.parametrize("takes", [0, 10, 130])
def test_a_video_is_as_long_as_its_walk_however_slow_the_computer(record, takes):
    said, made, shown = record("makeVideo", 50, 16, takes)
    assert made and 2000 <= shown[-1] <= 2000 + takes
    assert said[49] == "frame 50 of 50 drawn" and said[50] == "0.0 of 2.0 seconds"


def test_a_gif_says_its_size_and_what_to_choose_if_it_is_too_much(record):
    said, made, _ = record("makeGif", 30, 2)
    assert made and len(said) == 30 and re.fullmatch(r"30 of 30 frames, about 0\.\d MB", said[-1])
    (said,), made, _ = record("makeGif", 601)
    assert not made and "601 frames" in said and "fewer faces" in said
    (said,), made, _ = record("makeGif", 600, 48)
    assert not made and "25.0 MB at most" in said and "smaller size" in said
    (said,), made, _ = record("makeVideo", 10**7)
    assert not made and "seconds long" in said


@pytest.mark.parametrize("make", ["makeGif", "makeVideo"])
def test_a_recording_ends_where_it_is_canceled(record, make):
    said, made, _ = record(make, 30, most=3)
    assert not made and len(said) == 3
    if make == "makeVideo":
        assert record(make, 30, most=33)[1] is False
