"""Numbers that tell faces from what are none."""

import numpy as np
import pytest

from ganime.data.drawn import draw_face
from ganime.pictures.grids import make_grid
from ganime.pictures.looks import difference, in_common, ruled, variety


@pytest.fixture(scope="module")
def faces():
    return np.stack([draw_face(i, 32) for i in range(64)])


def test_a_difference_is_of_full_scale_and_of_what_is_seen_from_afar():
    black, white = np.zeros((2, 32, 32, 3), np.uint8), np.full((3, 32, 32, 3), 255, np.uint8)
    assert difference(black, white) == pytest.approx(np.ones((2, 3)))
    fine = np.indices((32, 32)).sum(0) % 2 * 255
    assert difference(black, np.repeat(fine[None, ..., None], 3, 3).astype(np.uint8)) == pytest.approx(np.full((2, 1), 0.5))
    assert not difference(black, black).any()


def test_sides_that_eight_does_not_divide_are_parted_as_evenly_as_it_goes():
    assert difference(np.full((1, 37, 37, 3), 51, np.uint8), np.zeros((1, 37, 37, 3), np.uint8)) == pytest.approx(0.2)


def test_faces_vary_and_have_their_places_in_common(faces):
    assert 0.2 < variety(faces) < 0.3
    assert in_common(faces) > 0.18
    assert in_common(np.random.default_rng(0).integers(0, 256, faces.shape, np.uint8)) == pytest.approx(0, abs=0.02)
    assert in_common(faces[:1].repeat(4, 0)) == pytest.approx(1) and in_common(np.zeros((2, 8, 8, 3), np.uint8)) == 1


@pytest.mark.parametrize("across", [2, 3, 4, 5])
def test_a_sheet_has_edges_where_its_pictures_meet(faces, across):
    size = 60 // across
    tiles = [np.stack([draw_face(seed * 25 + i, size) for i in range(across**2)]) for seed in range(6)]
    sheets = np.stack([make_grid(some, across, gap=0)[:60, :60] for some in tiles])
    assert ruled(sheets) > 0.6 and ruled(faces) < 0.1
