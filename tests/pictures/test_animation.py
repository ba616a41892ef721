import sys

import numpy as np
import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.errors import GanimeError
from ganime.pictures.animation import _frame, save_animation
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
