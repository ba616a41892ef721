import io

import numpy as np
import pytest
from PIL import Image

import ganime
from ganime.errors import InputError

FACES = np.stack([ganime.draw_face(seed, 32) for seed in range(6)])


def test_faces_are_shown_whatever_form_they_have():
    shown = ganime.show(FACES)
    assert isinstance(shown, Image.Image) and shown.size == (3 * 130 + 2, 2 * 130 + 2)
    for form in (list(FACES), iter(FACES), FACES / np.float32(127.5) - 1, FACES / 127.5 - 1, map(Image.fromarray, FACES)):
        assert np.array_equal(ganime.show(form), shown)


def test_a_face_is_shown_pixel_by_pixel_and_enlarged():
    assert np.array_equal(np.asarray(ganime.show(FACES[0], scale=1))[2:-2, 2:-2], FACES[0])
    assert ganime.show(FACES[0]).size == (132, 132)
    assert ganime.show(FACES, scale=2, columns=6).size == (6 * 66 + 2, 68)
    assert ganime.show(np.zeros((64, 64, 64, 3), np.uint8)).width == 530  # many stay as they are


def test_a_notebook_shows_an_animation():
    shown = ganime.animate(iter(FACES), fps=10)
    assert repr(shown) == "<an animation of 6 frames, 32x32>"
    with Image.open(io.BytesIO(shown.gif)) as gif:
        assert gif.n_frames == 6 and gif.info["duration"] == 100 and gif.size == (32, 32)
    assert shown._repr_html_().startswith('<img src="data:image/gif;base64,R0lGOD')
    assert 'width="128"' in shown._repr_html_()


def test_an_animation_is_saved(tmp_path):
    ganime.animate(FACES, scale=3).save(tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (96, 96)


@pytest.mark.parametrize(
    "faces, message",
    [
        (FACES.astype(np.float32), r"float in \[-1, 1\]; these are from \d+ to 255"),
        (FACES * np.float32("nan"), "from nan to nan"),
        (FACES[..., :2], r"are \[count, height, width, 3\], not \[6, 32, 32, 2\]"),
        ([], "not "),
        (FACES[:0], "not "),
        ([FACES[0], FACES[1][:8]], "of one size"),
        (3, "not "),
    ],
)
def test_what_is_no_face_is_refused(faces, message):
    for function in (ganime.show, ganime.animate):
        with pytest.raises(InputError, match=message):
            function(faces)
