import numpy as np
from PIL import Image

from ganime import pictures


def test_uint8_is_rounded_and_clipped():
    assert pictures.to_uint8(np.array([-2, -1, 0.0, 1, 2])).tolist() == [0, 0, 128, 255, 255]
    every = np.arange(256)
    assert np.array_equal(pictures.to_uint8(every.astype(np.float32) / 127.5 - 1), every)


def test_a_grid_holds_every_picture_in_its_place():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] + np.zeros((5, 4, 6, 3), np.uint8)
    grid = pictures.make_grid(images, columns=3, gap=1)
    assert grid.shape == (2 * 5 + 1, 3 * 7 + 1, 3)
    assert (grid[6:10, 8:14] == 4).all()
    assert (grid[6:, 15:] == 255).all()


def test_plots_are_written(tmp_path):
    steps = np.arange(1.0, 2001.0)
    history = {"step": steps, "d_loss": steps, "g_loss": steps, "real_score": steps / 2000, "fake_score": steps / 4000}
    pictures.save_plots(history, tmp_path)
    for name in ("losses.png", "scores.png"):
        with Image.open(tmp_path / name) as plot:
            assert len(np.unique(np.asarray(plot.convert("L")))) > 20
