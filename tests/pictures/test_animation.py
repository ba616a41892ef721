import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.errors import GanimeError, InputError
from ganime.pictures import grids
from ganime.pictures.animation import _frame, save_animation, save_frames
from ganime.run import Run


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    for step, color in ((0, "red"), (100, "green"), (200, "blue")):
        path = run.samples_path / f"step-{step:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (101, 60), color).save(path)
    return run


def test_the_gif_shows_all_samples_in_order_and_holds_the_last(run, tmp_path):
    save_animation(tmp_path / "a.gif", run.samples(), fps=10, hold=2)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 3
        colors, durations = [], []
        for i in range(3):
            gif.seek(i)
            colors.append(np.array(gif.convert("RGB"))[30, 50].argmax())
            durations.append(gif.info["duration"])
    assert colors == [0, 1, 2]
    assert durations == [100, 100, 2100]


def test_frames_are_scaled_down_and_numbered(run):
    step, path = run.samples()[1]
    frame, other = (np.asarray(_frame(number, path, 60)) for number in (step, 7))
    height, width, _ = frame.shape
    assert max(frame.shape) <= 60 and height % 2 == width % 2 == 0
    assert np.array_equal(frame[:-16], other[:-16]) and not np.array_equal(frame[-14:], other[-14:])


def test_faces_keep_their_colors(tmp_path):
    faces = [Image.fromarray(draw_face(seed, 128)) for seed in range(4)]
    for seed, face in enumerate(faces):
        face.save(tmp_path / f"{seed}.png")
    save_animation(tmp_path / "a.gif", [(seed, tmp_path / f"{seed}.png") for seed in range(4)])
    with Image.open(tmp_path / "a.gif") as gif:
        for seed, face in enumerate(faces):
            gif.seek(seed)
            difference = np.asarray(gif.convert("RGB"))[:128].astype(int) - np.asarray(face)
            assert np.abs(difference).mean() < 4


def chunk(kind, content):
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def bomb(side):
    """A PNG that declares far more pixels than it could show."""
    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_what_is_no_sample_is_passed_over_and_named(run, tmp_path, caplog):
    whole = run.samples()[0][1].read_bytes()
    samples = {300: bomb(60_000), 400: bomb(6_000), 500: whole[:-60], 600: b"no picture", 700: b"", 800: whole}
    for step, content in samples.items():
        (run.samples_path / f"step-{step:06d}.png").write_bytes(content)
    Image.new("RGB", (1, 60)).save(run.samples_path / "step-000900.png")
    Image.new("RGB", (60, 60)).save(run.samples_path / "step-001000.png")
    (run.samples_path / "step-001100.png").mkdir()
    tracemalloc.start()
    assert save_animation(tmp_path / "a.gif", run.samples(), hold=2) == 4
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 4
        gif.seek(3)
        assert gif.info["duration"] == 2100
    lines = caplog.messages
    assert len(lines) == 8 and all(line.startswith("passed over ") and line.isprintable() for line in lines)
    reasons = {300: "3600000000 pixels", 500: "truncated", 600: "not a picture", 700: "empty", 900: "1x60 pixels"}
    for step, reason in reasons.items():
        assert any(f"step-{step:06d}.png: " in line and reason in line for line in lines)
    assert any("60x60 pixels, not 101x60 as most" in line for line in lines)


def test_of_many_broken_samples_some_are_named(run, tmp_path, caplog):
    for step in range(1000, 1030):
        (run.samples_path / f"step-{step:06d}.png").write_bytes(b"")
    save_animation(tmp_path / "a.gif", run.samples())
    assert len(caplog.messages) == 11 and caplog.messages[-1] == "passed over 20 more"


def test_where_all_samples_are_broken_there_is_no_animation(run, tmp_path):
    for _, path in run.samples():
        path.write_bytes(b"\x1b[31m")
    with pytest.raises(GanimeError, match=r"no sample is left .*step-000000\.png: not a picture") as error:
        save_animation(tmp_path / "a.gif", run.samples())
    assert str(error.value).isprintable() and not (tmp_path / "a.gif").exists()


@pytest.mark.parametrize("option, value", [(name, value) for name in ("fps", "hold") for value in (np.nan, np.inf, -1)])
def test_silly_numbers_are_refused(run, tmp_path, option, value):
    with pytest.raises(InputError, match=r"frames per second are not from 0\.1 to 50"):
        save_animation(tmp_path / "a.gif", run.samples(), **{option: value})


@pytest.mark.parametrize("name, width", [("a.webp", 16_384), ("a.gif", 65_536)])
def test_frames_that_are_too_large_for_a_format_are_refused(tmp_path, name, width):
    with pytest.raises(InputError, match=f"{width:,}x1 pixels are too many for a {name[1:]} file"):
        save_frames(tmp_path / name, [np.zeros((1, width, 3), np.uint8)], 1, 10)
    assert not list(tmp_path.iterdir())


def test_no_samples_is_an_error(tmp_path):
    with pytest.raises(GanimeError, match="no samples"):
        save_animation(tmp_path / "a.gif", [])
    assert not list(tmp_path.iterdir())


def test_mp4_without_ffmpeg_names_the_install_command(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(GanimeError, match="pip install"):
        save_animation(tmp_path / "a.mp4", run.samples())


def test_mp4(run, tmp_path):
    import imageio.v2 as imageio

    save_animation(tmp_path / "a.mp4", run.samples(), fps=10, hold=1)
    with imageio.get_reader(tmp_path / "a.mp4") as movie:
        assert movie.count_frames() == 13


def test_a_flipped_bit_in_a_grids_pixels_is_noticed(tmp_path, caplog):
    """Pillow decodes a PNG without comparing the checksums of its chunks."""
    samples = [(step, tmp_path / f"step-{step:06d}.png") for step in range(3)]
    for _, path in samples:
        grids.save_picture(path, np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    data = bytearray(samples[1][1].read_bytes())
    data[len(data) // 2] ^= 1
    samples[1][1].write_bytes(data)
    assert save_animation(tmp_path / "a.gif", samples) == 2
    assert "passed over" in caplog.text and samples[1][1].name in caplog.text
