import numpy as np
import pytest
from PIL import Image

from ganime.errors import InputError
from ganime.pictures import grids


def test_a_picture_that_is_too_large_for_its_format_is_refused(tmp_path):
    wide = np.zeros((1, 2**14, 3), np.uint8)
    grids.save_picture(tmp_path / "wide.png", wide)
    with pytest.raises(InputError, match=r"16,384x1 pixels are too many for a \.webp file, whose sides are 16,383 at most"):
        grids.save_picture(tmp_path / "wide.webp", wide)


def test_uint8_is_rounded_and_clipped():
    assert grids.to_uint8(np.array([-2, -1, 0.0, 1, 2])).tolist() == [0, 0, 128, 255, 255]
    every = np.arange(256)
    assert np.array_equal(grids.to_uint8(every.astype(np.float32) / 127.5 - 1), every)


def test_a_grid_holds_every_picture_in_its_place():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] + np.zeros((5, 4, 6, 3), np.uint8)
    grid = grids.make_grid(images, columns=3, gap=1)
    assert grid.shape == (2 * 5 + 1, 3 * 7 + 1, 3)
    assert (grid[6:10, 8:14] == 4).all()
    assert (grid[6:, 15:] == 255).all()


def test_plots_are_written(tmp_path):
    steps = np.arange(1.0, 2001.0)
    history = {"step": steps, "d_loss": steps, "g_loss": steps, "real_score": steps / 2000, "fake_score": steps / 4000}
    grids.save_plots(history, {}, tmp_path)
    for name in ("losses.png", "scores.png"):
        with Image.open(tmp_path / name) as plot:
            assert len(np.unique(np.asarray(plot.convert("L")))) > 20


def test_scores_are_drawn_where_there_are_any(tmp_path):
    steps = np.arange(1.0, 11.0)
    means = dict.fromkeys(("step", "d_loss", "g_loss", "real_score", "fake_score"), steps)
    grids.save_plots(means, {}, tmp_path)
    assert not (tmp_path / "quality.png").exists()
    some = np.where(steps % 5 == 0, steps, np.nan)
    scores = ("KID-lite0", "KID-lite0-deviation", "FD-lite0", "recall-lite0", "IS")
    grids.save_plots(means, {"step": steps, **dict.fromkeys(scores, some)}, tmp_path)
    with Image.open(tmp_path / "quality.png") as plot:
        assert plot.width > 4 * 400  # three distances, and the shares together
        assert len(np.unique(np.asarray(plot.convert("L")))) > 20
